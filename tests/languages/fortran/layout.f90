!> Prints size and alignment of every struct of voxlane.f90, and offset and size of every field: one a line, as
!> tests/c/layout.c does for voxlane.h.
program layout
   use voxlane
   use, intrinsic :: iso_c_binding
   implicit none
   type, bind(C) :: aligned_1
      character(kind=c_char) :: first
      type(voxlane_array) :: s
   end type aligned_1
   type, bind(C) :: aligned_2
      character(kind=c_char) :: first
      type(voxlane_array_mut) :: s
   end type aligned_2
   type, bind(C) :: aligned_3
      character(kind=c_char) :: first
      type(voxlane_steepest_options) :: s
   end type aligned_3
   type, bind(C) :: aligned_4
      character(kind=c_char) :: first
      type(voxlane_gaussians) :: s
   end type aligned_4
   type, bind(C) :: aligned_5
      character(kind=c_char) :: first
      type(voxlane_grid) :: s
   end type aligned_5
   type, bind(C) :: aligned_6
      character(kind=c_char) :: first
      type(voxlane_gaussian_options) :: s
   end type aligned_6
   type(aligned_1), target :: a1
   type(aligned_2), target :: a2
   type(aligned_3), target :: a3
   type(aligned_4), target :: a4
   type(aligned_5), target :: a5
   type(aligned_6), target :: a6
   integer(c_intptr_t) :: start

   call show("voxlane_array", c_sizeof(a1%s), address(c_loc(a1%s)) - address(c_loc(a1%first)))
   start = address(c_loc(a1%s))
   call show("voxlane_array.data", address(c_loc(a1%s%data)) - start, c_sizeof(a1%s%data))
   call show("voxlane_array.shape", address(c_loc(a1%s%shape)) - start, c_sizeof(a1%s%shape))
   call show("voxlane_array.stride", address(c_loc(a1%s%stride)) - start, c_sizeof(a1%s%stride))
   call show("voxlane_array.dtype", address(c_loc(a1%s%dtype)) - start, c_sizeof(a1%s%dtype))
   call show("voxlane_array_mut", c_sizeof(a2%s), address(c_loc(a2%s)) - address(c_loc(a2%first)))
   start = address(c_loc(a2%s))
   call show("voxlane_array_mut.data", address(c_loc(a2%s%data)) - start, c_sizeof(a2%s%data))
   call show("voxlane_array_mut.shape", address(c_loc(a2%s%shape)) - start, c_sizeof(a2%s%shape))
   call show("voxlane_array_mut.stride", address(c_loc(a2%s%stride)) - start, c_sizeof(a2%s%stride))
   call show("voxlane_array_mut.dtype", address(c_loc(a2%s%dtype)) - start, c_sizeof(a2%s%dtype))
   call show("voxlane_steepest_options", c_sizeof(a3%s), address(c_loc(a3%s)) - address(c_loc(a3%first)))
   start = address(c_loc(a3%s))
   call show("voxlane_steepest_options.struct_size", address(c_loc(a3%s%struct_size)) - start, c_sizeof(a3%s%struct_size))
   call show("voxlane_steepest_options.direction", address(c_loc(a3%s%direction)) - start, c_sizeof(a3%s%direction))
   call show("voxlane_steepest_options.minima", address(c_loc(a3%s%minima)) - start, c_sizeof(a3%s%minima))
   call show("voxlane_steepest_options.border", address(c_loc(a3%s%border)) - start, c_sizeof(a3%s%border))
   call show("voxlane_steepest_options.isa", address(c_loc(a3%s%isa)) - start, c_sizeof(a3%s%isa))
   call show("voxlane_steepest_options.threads", address(c_loc(a3%s%threads)) - start, c_sizeof(a3%s%threads))
   call show("voxlane_steepest_options.reserved", address(c_loc(a3%s%reserved)) - start, c_sizeof(a3%s%reserved))
   call show("voxlane_steepest_options.spacing", address(c_loc(a3%s%spacing)) - start, c_sizeof(a3%s%spacing))
   call show("voxlane_steepest_options.weights", address(c_loc(a3%s%weights)) - start, c_sizeof(a3%s%weights))
   call show("voxlane_steepest_options.mask", address(c_loc(a3%s%mask)) - start, c_sizeof(a3%s%mask))
   call show("voxlane_steepest_options.slope", address(c_loc(a3%s%slope)) - start, c_sizeof(a3%s%slope))
   call show("voxlane_steepest_options.planes", address(c_loc(a3%s%planes)) - start, c_sizeof(a3%s%planes))
   call show("voxlane_steepest_options.progress", address(c_loc(a3%s%progress)) - start, c_sizeof(a3%s%progress))
   call show("voxlane_steepest_options.progress_user", address(c_loc(a3%s%progress_user)) - start, c_sizeof(a3%s%progress_user))
   call show("voxlane_gaussians", c_sizeof(a4%s), address(c_loc(a4%s)) - address(c_loc(a4%first)))
   start = address(c_loc(a4%s))
   call show("voxlane_gaussians.count", address(c_loc(a4%s%count)) - start, c_sizeof(a4%s%count))
   call show("voxlane_gaussians.dtype", address(c_loc(a4%s%dtype)) - start, c_sizeof(a4%s%dtype))
   call show("voxlane_gaussians.reserved", address(c_loc(a4%s%reserved)) - start, c_sizeof(a4%s%reserved))
   call show("voxlane_gaussians.centers", address(c_loc(a4%s%centers)) - start, c_sizeof(a4%s%centers))
   call show("voxlane_gaussians.center_stride", address(c_loc(a4%s%center_stride)) - start, c_sizeof(a4%s%center_stride))
   call show("voxlane_gaussians.amplitudes", address(c_loc(a4%s%amplitudes)) - start, c_sizeof(a4%s%amplitudes))
   call show("voxlane_gaussians.amplitude_stride", address(c_loc(a4%s%amplitude_stride)) - start, c_sizeof(a4%s%amplitude_stride))
   call show("voxlane_gaussians.sigmas", address(c_loc(a4%s%sigmas)) - start, c_sizeof(a4%s%sigmas))
   call show("voxlane_gaussians.sigma_stride", address(c_loc(a4%s%sigma_stride)) - start, c_sizeof(a4%s%sigma_stride))
   call show("voxlane_grid", c_sizeof(a5%s), address(c_loc(a5%s)) - address(c_loc(a5%first)))
   start = address(c_loc(a5%s))
   call show("voxlane_grid.values", address(c_loc(a5%s%values)) - start, c_sizeof(a5%s%values))
   call show("voxlane_grid.origin", address(c_loc(a5%s%origin)) - start, c_sizeof(a5%s%origin))
   call show("voxlane_grid.spacing", address(c_loc(a5%s%spacing)) - start, c_sizeof(a5%s%spacing))
   call show("voxlane_gaussian_options", c_sizeof(a6%s), address(c_loc(a6%s)) - address(c_loc(a6%first)))
   start = address(c_loc(a6%s))
   call show("voxlane_gaussian_options.struct_size", address(c_loc(a6%s%struct_size)) - start, c_sizeof(a6%s%struct_size))
   call show("voxlane_gaussian_options.normalization", address(c_loc(a6%s%normalization)) - start, c_sizeof(a6%s%normalization))
   call show("voxlane_gaussian_options.support", address(c_loc(a6%s%support)) - start, c_sizeof(a6%s%support))
   call show("voxlane_gaussian_options.sampling", address(c_loc(a6%s%sampling)) - start, c_sizeof(a6%s%sampling))
   call show("voxlane_gaussian_options.periodic", address(c_loc(a6%s%periodic)) - start, c_sizeof(a6%s%periodic))
   call show("voxlane_gaussian_options.accumulate", address(c_loc(a6%s%accumulate)) - start, c_sizeof(a6%s%accumulate))
   call show("voxlane_gaussian_options.isa", address(c_loc(a6%s%isa)) - start, c_sizeof(a6%s%isa))
   call show("voxlane_gaussian_options.threads", address(c_loc(a6%s%threads)) - start, c_sizeof(a6%s%threads))
   call show("voxlane_gaussian_options.reserved", address(c_loc(a6%s%reserved)) - start, c_sizeof(a6%s%reserved))
   call show("voxlane_gaussian_options.eps", address(c_loc(a6%s%eps)) - start, c_sizeof(a6%s%eps))
   call show("voxlane_gaussian_options.progress", address(c_loc(a6%s%progress)) - start, c_sizeof(a6%s%progress))
   call show("voxlane_gaussian_options.progress_user", address(c_loc(a6%s%progress_user)) - start, c_sizeof(a6%s%progress_user))

contains

   subroutine show(name, one, other)
      character(*), intent(in) :: name
      integer(c_size_t), intent(in) :: one, other
      print '(a, 2(1x, i0))', name, one, other
   end subroutine show

   pure integer(c_intptr_t) function address(pointer)
      type(c_ptr), intent(in) :: pointer
      address = transfer(pointer, address)
   end function address

end program layout
