# How programs are linked to an installed voxlane. Run in a folder with program.c, program.cpp and program.f90.
set -e
# [readme-begin]
cc program.c $(pkg-config --cflags --libs voxlane) -o program_c
c++ -std=c++17 program.cpp $(pkg-config --cflags --libs voxlane) -o program_cpp
gfortran $(pkg-config --variable=includedir voxlane)/voxlane.f90 program.f90 $(pkg-config --libs voxlane) -o program_fortran
# without the shared library: the archive, and what it needs of the system
libdir=$(pkg-config --variable=libdir voxlane)
cc program.c $(pkg-config --cflags voxlane) $libdir/libvoxlane.a -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc -o program_static
# [readme-end]
