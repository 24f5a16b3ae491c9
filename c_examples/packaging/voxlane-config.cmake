# CMake's view of an installed voxlane: find_package(voxlane), then link to
#
#     voxlane::voxlane          the shared library
#     voxlane::voxlane_static   the static one, with the system libraries it needs
#
# Both bring the folder of voxlane.h and voxlane.hpp. Nothing in here depends on where the files were installed: they are
# looked for from this file's own folder, <prefix>/share/cmake/voxlane.

get_filename_component(_voxlane_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(_voxlane_folders lib lib64)
if(CMAKE_LIBRARY_ARCHITECTURE)
  list(APPEND _voxlane_folders lib/${CMAKE_LIBRARY_ARCHITECTURE})
endif()

function(_voxlane_find variable)
  foreach(folder IN LISTS _voxlane_folders)
    foreach(name IN LISTS ARGN)
      if(EXISTS "${_voxlane_prefix}/${folder}/${name}")
        set(${variable} "${_voxlane_prefix}/${folder}/${name}" PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
  set(${variable} "" PARENT_SCOPE)
endfunction()

if(APPLE)
  _voxlane_find(_voxlane_shared libvoxlane.1.dylib libvoxlane.dylib)
else()
  _voxlane_find(_voxlane_shared libvoxlane.so.1 libvoxlane.so)
endif()
_voxlane_find(_voxlane_static libvoxlane.a)

if(_voxlane_shared AND NOT TARGET voxlane::voxlane)
  add_library(voxlane::voxlane SHARED IMPORTED)
  set_target_properties(voxlane::voxlane PROPERTIES
    IMPORTED_LOCATION "${_voxlane_shared}"
    INTERFACE_INCLUDE_DIRECTORIES "${_voxlane_prefix}/include")
  if(APPLE)
    set_target_properties(voxlane::voxlane PROPERTIES IMPORTED_SONAME "@rpath/libvoxlane.1.dylib")
  else()
    set_target_properties(voxlane::voxlane PROPERTIES IMPORTED_SONAME "libvoxlane.so.1")
  endif()
endif()

if(_voxlane_static AND NOT TARGET voxlane::voxlane_static)
  add_library(voxlane::voxlane_static STATIC IMPORTED)
  # What `rustc --print native-static-libs` lists; a test compares.
  if(APPLE)
    set(_voxlane_native -lSystem -lc -lm)
  else()
    set(_voxlane_native -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc)
  endif()
  set_target_properties(voxlane::voxlane_static PROPERTIES
    IMPORTED_LOCATION "${_voxlane_static}"
    IMPORTED_LINK_INTERFACE_LANGUAGES C
    INTERFACE_INCLUDE_DIRECTORIES "${_voxlane_prefix}/include"
    INTERFACE_LINK_LIBRARIES "${_voxlane_native}")
endif()

if(NOT _voxlane_shared AND NOT _voxlane_static)
  set(voxlane_FOUND FALSE)
  set(voxlane_NOT_FOUND_MESSAGE "no libvoxlane below ${_voxlane_prefix}")
endif()
unset(_voxlane_prefix)
unset(_voxlane_folders)
unset(_voxlane_shared)
unset(_voxlane_static)
unset(_voxlane_native)
