!> voxlane for Fortran 2008: compile this file with the program, link libvoxlane.
!>
!>     use voxlane
!>     real(c_float) :: image(128, 96, 24)
!>     integer(c_int8_t) :: labels(128, 96, 24)
!>     call steepest(image, labels, steepest_options(minima=VOXLANE_MINIMA_FLAT, spacing=[2d0, 2d0, 2.2d0]))
!>
!> INDEX ORDER  In steepest, sum_gaussians and their options everything is in the order of Fortran's indices:
!>              spacing(1), border(1), origin(1) and a centre's first coordinate belong to the first index, which is
!>              the fastest in memory ("x"); the third index is the slowest ("z"). What is passed on to C is turned
!>              around here, and nowhere else. The interfaces whose names begin with voxlane_ are C's, and in C's
!>              order: z, y, x.
!> LABELS       count neighbours with the first index fastest: label 9*(dz+1) + 3*(dy+1) + (dx+1) leads from (x, y, z)
!>              to (x+dx, y+dy, z+dz); label_offset gives [dx, dy, dz].
!> ARRAYS       are used where they lie. Sections with strides of either sign are not copied.
!> ERRORS       come back in stat, with a text in errmsg; without stat the program stops with the text. The texts are
!>              the library's, which names shapes and axes in C's order: axis 0 is the third index.
!> UNSIGNED     integers do not exist in Fortran. An integer array that holds the bits of unsigned numbers is read as
!>              such with unsigned=.true.
!>
!> What the numbers mean (labels, weights, normalizations, error bounds) is said once, in voxlane.h.
module voxlane
   use, intrinsic :: iso_c_binding
   use, intrinsic :: iso_fortran_env, only: error_unit
   implicit none
   private

   ! --- Values, as in voxlane.h ---------------------------------------------------------------------------------

   integer(c_int32_t), parameter, public :: VOXLANE_OK = 0, VOXLANE_ERR_NULL = -1, VOXLANE_ERR_SHAPE = -2, &
      VOXLANE_ERR_STRIDE = -3, VOXLANE_ERR_ALIGN = -4, VOXLANE_ERR_DTYPE = -5, VOXLANE_ERR_OVERLAP = -6, &
      VOXLANE_ERR_OPTION = -7, VOXLANE_ERR_VALUE = -8, VOXLANE_ERR_ISA = -9, VOXLANE_ERR_MEMORY = -10, &
      VOXLANE_ERR_THREAD = -11, VOXLANE_CANCELLED = -12, VOXLANE_ERR_PANIC = -100
   integer(c_int32_t), parameter, public :: VOXLANE_U8 = 1, VOXLANE_I8 = 2, VOXLANE_U16 = 3, VOXLANE_I16 = 4, &
      VOXLANE_U32 = 5, VOXLANE_I32 = 6, VOXLANE_F32 = 7, VOXLANE_F64 = 8
   integer(c_int32_t), parameter, public :: VOXLANE_DESCENT = 0, VOXLANE_ASCENT = 1
   integer(c_int32_t), parameter, public :: VOXLANE_MINIMA_REFERENCE = 0, VOXLANE_MINIMA_STRICT = 1, &
      VOXLANE_MINIMA_FLAT = 2
   integer(c_int32_t), parameter, public :: VOXLANE_BORDER_SKIP = 0, VOXLANE_BORDER_INSIDE = 1, &
      VOXLANE_BORDER_PERIODIC = 2
   integer(c_int32_t), parameter, public :: VOXLANE_LABEL_CENTER = 13, VOXLANE_LABEL_MASKED = 27
   integer(c_int32_t), parameter, public :: VOXLANE_ISA_AUTO = 0, VOXLANE_ISA_PORTABLE = 1, VOXLANE_ISA_AVX2 = 2, &
      VOXLANE_ISA_AVX512 = 3
   integer(c_int32_t), parameter, public :: VOXLANE_NORM_PEAK = 0, VOXLANE_NORM_REFERENCE = 1, &
      VOXLANE_NORM_INTEGRAL = 2, VOXLANE_NORM_MASS = 3
   integer(c_int32_t), parameter, public :: VOXLANE_SUPPORT_BOX = 0, VOXLANE_SUPPORT_BALL = 1
   integer(c_int32_t), parameter, public :: VOXLANE_SAMPLE_POINT = 0, VOXLANE_SAMPLE_VOXEL = 1
   integer(c_int32_t), parameter, public :: VOXLANE_ABI = 1

   ! --- Types, as in voxlane.h ----------------------------------------------------------------------------------
   ! size_t and ptrdiff_t have one kind in Fortran, as it has no unsigned numbers.

   type, bind(C), public :: voxlane_array
      type(c_ptr) :: data = c_null_ptr
      integer(c_size_t) :: shape(3) = 0
      integer(c_size_t) :: stride(3) = 0
      integer(c_int32_t) :: dtype = 0
   end type voxlane_array

   type, bind(C), public :: voxlane_array_mut
      type(c_ptr) :: data = c_null_ptr
      integer(c_size_t) :: shape(3) = 0
      integer(c_size_t) :: stride(3) = 0
      integer(c_int32_t) :: dtype = 0
   end type voxlane_array_mut

   type, bind(C), public :: voxlane_steepest_options
      integer(c_size_t) :: struct_size
      integer(c_int32_t) :: direction, minima, border(3), isa, threads, reserved
      real(c_double) :: spacing(3)
      type(c_ptr) :: weights, mask, slope
      integer(c_size_t) :: planes(2)
      type(c_funptr) :: progress
      type(c_ptr) :: progress_user
   end type voxlane_steepest_options

   type, bind(C), public :: voxlane_gaussians
      integer(c_size_t) :: count
      integer(c_int32_t) :: dtype, reserved
      type(c_ptr) :: centers
      integer(c_size_t) :: center_stride(2)
      type(c_ptr) :: amplitudes
      integer(c_size_t) :: amplitude_stride
      type(c_ptr) :: sigmas
      integer(c_size_t) :: sigma_stride(2)
   end type voxlane_gaussians

   type, bind(C), public :: voxlane_grid
      type(voxlane_array_mut) :: values
      real(c_double) :: origin(3), spacing(3)
   end type voxlane_grid

   type, bind(C), public :: voxlane_gaussian_options
      integer(c_size_t) :: struct_size
      integer(c_int32_t) :: normalization, support, sampling, periodic(3), accumulate, isa, threads, reserved
      real(c_double) :: eps
      type(c_funptr) :: progress
      type(c_ptr) :: progress_user
   end type voxlane_gaussian_options

   ! --- Options, in Fortran's index order -----------------------------------------------------------------------

   !> Options of steepest; the defaults are those of voxlane_steepest_options_init.
   type, public :: steepest_options
      integer(c_int32_t) :: direction = VOXLANE_DESCENT
      integer(c_int32_t) :: minima = VOXLANE_MINIMA_REFERENCE
      integer(c_int32_t) :: border(3) = VOXLANE_BORDER_SKIP      !< of the first, second, third index
      real(c_double) :: spacing(3) = 1                           !< of the first, second, third index
      real(c_double), allocatable :: weights(:, :, :)            !< (3,3,3), in place of 1 / distance
      !> readable(array) of integer(c_int8_t) or logical(c_bool); 0 removes the voxel. The array needs the target
      !> attribute and must live as long as the options.
      type(voxlane_array) :: mask = voxlane_array()
      !> writable(array) of real; receives the largest score. As for mask.
      type(voxlane_array_mut) :: slope = voxlane_array_mut()
      !> First and last third index to compute; 0, 0: all. Neighbours outside are read: a slab with a plane of halo on
      !> either side has the whole volume's labels.
      integer :: planes(2) = 0
      integer(c_int32_t) :: isa = VOXLANE_ISA_AUTO
      integer(c_int32_t) :: threads = 0                          !< 0: VOXLANE_THREADS or all; 1: the caller's
      type(c_funptr) :: progress = c_null_funptr                 !< c_funloc of a voxlane_progress; non-zero cancels
      type(c_ptr) :: progress_user = c_null_ptr
   end type steepest_options

   !> Options of sum_gaussians; the defaults are those of voxlane_gaussian_options_init.
   type, public :: gaussian_options
      integer(c_int32_t) :: normalization = VOXLANE_NORM_PEAK
      integer(c_int32_t) :: support = VOXLANE_SUPPORT_BOX
      integer(c_int32_t) :: sampling = VOXLANE_SAMPLE_POINT
      logical :: periodic(3) = .false.                           !< of the first, second, third index
      logical :: accumulate = .false.
      real(c_double) :: eps = 1e-6_c_double
      integer(c_int32_t) :: isa = VOXLANE_ISA_AUTO
      integer(c_int32_t) :: threads = 0
      type(c_funptr) :: progress = c_null_funptr
      type(c_ptr) :: progress_user = c_null_ptr
   end type gaussian_options

   abstract interface
      !> A progress callback; any other answer than 0 cancels.
      integer(c_int) function voxlane_progress(user, fraction) bind(C)
         import :: c_int, c_ptr, c_double
         type(c_ptr), value :: user
         real(c_double), value :: fraction
      end function voxlane_progress
   end interface
   public :: voxlane_progress

   ! --- The C functions -----------------------------------------------------------------------------------------

   interface
      integer(c_int32_t) function voxlane_steepest(image, labels, options) bind(C)
         import :: c_int32_t, voxlane_array, voxlane_array_mut, voxlane_steepest_options
         type(voxlane_array), intent(in) :: image
         type(voxlane_array_mut), intent(in) :: labels
         type(voxlane_steepest_options), intent(in) :: options
      end function voxlane_steepest

      subroutine voxlane_steepest_options_init(options) bind(C)
         import :: voxlane_steepest_options
         type(voxlane_steepest_options), intent(out) :: options
      end subroutine voxlane_steepest_options_init

      integer(c_int32_t) function voxlane_create_label(image, shape, labels) bind(C)
         import :: c_int32_t, c_float, c_size_t
         real(c_float), intent(in) :: image(*)
         integer(c_size_t), intent(in) :: shape(3)
         real(c_float), intent(inout) :: labels(*)
      end function voxlane_create_label

      integer(c_int32_t) function voxlane_sum_gaussians(gaussians, grid, options) bind(C)
         import :: c_int32_t, voxlane_gaussians, voxlane_grid, voxlane_gaussian_options
         type(voxlane_gaussians), intent(in) :: gaussians
         type(voxlane_grid), intent(in) :: grid
         type(voxlane_gaussian_options), intent(in) :: options
      end function voxlane_sum_gaussians

      subroutine voxlane_gaussian_options_init(options) bind(C)
         import :: voxlane_gaussian_options
         type(voxlane_gaussian_options), intent(out) :: options
      end subroutine voxlane_gaussian_options_init

      integer(c_int32_t) function voxlane_gauss_grid(centers, count, sigma, eps, shape, origin, spacing, grid) bind(C)
         import :: c_int32_t, c_double, c_float, c_size_t
         real(c_double), intent(in) :: centers(*)
         integer(c_size_t), value :: count
         real(c_double), value :: sigma, eps
         integer(c_size_t), intent(in) :: shape(3)
         real(c_double), intent(in) :: origin(3), spacing(3)
         real(c_float), intent(inout) :: grid(*)
      end function voxlane_gauss_grid

      integer(c_int32_t) function voxlane_version() bind(C)
         import :: c_int32_t
      end function voxlane_version

      type(c_ptr) function voxlane_version_string() bind(C)
         import :: c_ptr
      end function voxlane_version_string

      pure integer(c_int32_t) function voxlane_abi_version() bind(C)
         import :: c_int32_t
      end function voxlane_abi_version

      type(c_ptr) function voxlane_status_string(status) bind(C)
         import :: c_ptr, c_int32_t
         integer(c_int32_t), value :: status
      end function voxlane_status_string

      type(c_ptr) function voxlane_last_error() bind(C)
         import :: c_ptr
      end function voxlane_last_error

      integer(c_int32_t) function voxlane_isa_active() bind(C)
         import :: c_int32_t
      end function voxlane_isa_active

      integer(c_int32_t) function voxlane_isa_supported(isa) bind(C)
         import :: c_int32_t
         integer(c_int32_t), value :: isa
      end function voxlane_isa_supported

      type(c_ptr) function voxlane_isa_name(isa) bind(C)
         import :: c_ptr, c_int32_t
         integer(c_int32_t), value :: isa
      end function voxlane_isa_name

      pure integer(c_size_t) function voxlane_sizeof(which) bind(C)
         import :: c_size_t, c_int32_t
         integer(c_int32_t), value :: which
      end function voxlane_sizeof
   end interface

   interface
      pure integer(c_size_t) function c_string_length(text) bind(C, name="strlen")
         import :: c_size_t, c_ptr
         type(c_ptr), value :: text
      end function c_string_length
   end interface

   public :: voxlane_steepest, voxlane_steepest_options_init, voxlane_create_label, voxlane_sum_gaussians, &
      voxlane_gaussian_options_init, voxlane_gauss_grid, voxlane_version, voxlane_version_string, voxlane_abi_version, &
      voxlane_status_string, voxlane_last_error, voxlane_isa_active, voxlane_isa_supported, voxlane_isa_name, &
      voxlane_sizeof

   ! --- What Fortran calls --------------------------------------------------------------------------------------

   !> call steepest(image, labels [, options] [, unsigned] [, stat] [, errmsg])
   !>
   !> image: real(c_float), real(c_double), integer(c_int8_t), (c_int16_t) or (c_int32_t), rank 3.
   !> labels: integer(c_int8_t) or real(c_float), of the same shape.
   interface steepest
      module procedure steepest_f32_i8, steepest_f64_i8, steepest_i8_i8, steepest_i16_i8, steepest_i32_i8
      module procedure steepest_f32_f32, steepest_f64_f32, steepest_i8_f32, steepest_i16_f32, steepest_i32_f32
   end interface steepest

   !> call sum_gaussians(centers, sigma, grid [, origin] [, spacing] [, amplitudes] [, options] [, stat] [, errmsg])
   !>
   !> centers(3, n): real(c_float) or real(c_double), coordinates along the grid's first, second, third index.
   !> sigma: of the same kind; one number, or an array of shape (1, n) for the centres, (3, 1) for the indices or
   !> (3, n) for both.
   !> grid: real(c_float) or real(c_double), rank 3; grid(1,1,1) lies at origin (0, 0, 0 by default).
   !> amplitudes(n): of the centres' kind.
   interface sum_gaussians
      module procedure sum_f32_one_f32, sum_f32_one_f64, sum_f64_one_f32, sum_f64_one_f64
      module procedure sum_f32_each_f32, sum_f32_each_f64, sum_f64_each_f32, sum_f64_each_f64
   end interface sum_gaussians

   !> The C description of an array that is read. The array must have the target attribute.
   interface readable
      module procedure readable_f32, readable_f64, readable_i8, readable_i16, readable_i32, readable_bool
   end interface readable

   !> The C description of an array that is written. The array must have the target attribute.
   interface writable
      module procedure writable_f32, writable_f64, writable_i8
   end interface writable

   public :: steepest, sum_gaussians, readable, writable, label_offset, active_isa, version

contains

   !> [dx, dy, dz] from a voxel to the one its label leads to. 0, 0, 0 for a masked voxel's.
   pure function label_offset(label) result(offset)
      integer, intent(in) :: label
      integer :: offset(3)
      offset = 0
      if (label >= 0 .and. label < 27) offset = [mod(label, 3), mod(label/3, 3), label/9] - 1
   end function label_offset

   !> "portable", "avx2" or "avx512": what calls take by themselves. "unknown" if VOXLANE_ISA is misspelt or asks for too
   !> much, which every call then refuses.
   function active_isa() result(name)
      character(:), allocatable :: name
      name = from_c(voxlane_isa_name(voxlane_isa_active()))
   end function active_isa

   !> Version of the library that runs, "major.minor.patch".
   function version() result(text)
      character(:), allocatable :: text
      text = from_c(voxlane_version_string())
   end function version

   ! --- Descriptions --------------------------------------------------------------------------------------------
   ! Fortran does not tell an array's strides; the addresses of its first elements do. Along an index of extent 1
   ! there is no second element, and any stride will do.

   function layout(first, next, extents, bytes, dtype) result(array)
      type(c_ptr), intent(in) :: first, next(3)
      integer, intent(in) :: extents(3)
      integer(c_size_t), intent(in) :: bytes
      integer(c_int32_t), intent(in) :: dtype
      type(voxlane_array) :: array
      integer :: i
      integer(c_intptr_t) :: distance

      array%data = first
      array%dtype = dtype
      do i = 1, 3
         array%shape(4 - i) = int(extents(i), c_size_t)
         distance = transfer(next(i), distance) - transfer(first, distance)
         array%stride(4 - i) = int(distance, c_size_t)/bytes
         if (mod(int(distance, c_size_t), bytes) /= 0) array%dtype = -1
      end do
   end function layout

   !> Index of the second element along each index, or of the first if there is no second.
   pure function second(extent) result(index)
      integer, intent(in) :: extent
      integer :: index
      index = min(2, extent)
   end function second

   !> An array without elements: the library refuses it by its shape; the address only must not be null.
   function nothing(extents, dtype) result(array)
      integer, intent(in) :: extents(3)
      integer(c_int32_t), intent(in) :: dtype
      type(voxlane_array) :: array
      real(c_double), target, save :: somewhere = 0
      array%data = c_loc(somewhere)
      array%shape = int(extents(3:1:-1), c_size_t)
      array%stride = 1
      array%dtype = dtype
   end function nothing

   pure function as_output(array) result(output)
      type(voxlane_array), intent(in) :: array
      type(voxlane_array_mut) :: output
      output%data = array%data
      output%shape = array%shape
      output%stride = array%stride
      output%dtype = array%dtype
   end function as_output

   !> The element type of unsigned numbers, next to that of signed ones.
   pure function signedness(dtype, unsigned) result(chosen)
      integer(c_int32_t), intent(in) :: dtype
      logical, intent(in), optional :: unsigned
      integer(c_int32_t) :: chosen
      chosen = dtype
      if (present(unsigned)) then
         if (unsigned) chosen = dtype - 1
      end if
   end function signedness

   function readable_f32(a) result(array)
      real(c_float), intent(in), target :: a(:, :, :)
      type(voxlane_array) :: array
      if (any(shape(a) == 0)) then
         array = nothing(shape(a), VOXLANE_F32)
         return
      end if
      array = layout(c_loc(a(1, 1, 1)), [c_loc(a(second(size(a, 1)), 1, 1)), &
         c_loc(a(1, second(size(a, 2)), 1)), c_loc(a(1, 1, second(size(a, 3))))], shape(a), &
         int(storage_size(a)/8, c_size_t), VOXLANE_F32)
   end function readable_f32

   function readable_f64(a) result(array)
      real(c_double), intent(in), target :: a(:, :, :)
      type(voxlane_array) :: array
      if (any(shape(a) == 0)) then
         array = nothing(shape(a), VOXLANE_F64)
         return
      end if
      array = layout(c_loc(a(1, 1, 1)), [c_loc(a(second(size(a, 1)), 1, 1)), &
         c_loc(a(1, second(size(a, 2)), 1)), c_loc(a(1, 1, second(size(a, 3))))], shape(a), &
         int(storage_size(a)/8, c_size_t), VOXLANE_F64)
   end function readable_f64

   function readable_i8(a, unsigned) result(array)
      integer(c_int8_t), intent(in), target :: a(:, :, :)
      logical, intent(in), optional :: unsigned
      type(voxlane_array) :: array
      if (any(shape(a) == 0)) then
         array = nothing(shape(a), signedness(VOXLANE_I8, unsigned))
         return
      end if
      array = layout(c_loc(a(1, 1, 1)), [c_loc(a(second(size(a, 1)), 1, 1)), &
         c_loc(a(1, second(size(a, 2)), 1)), c_loc(a(1, 1, second(size(a, 3))))], shape(a), &
         int(storage_size(a)/8, c_size_t), signedness(VOXLANE_I8, unsigned))
   end function readable_i8

   function readable_i16(a, unsigned) result(array)
      integer(c_int16_t), intent(in), target :: a(:, :, :)
      logical, intent(in), optional :: unsigned
      type(voxlane_array) :: array
      if (any(shape(a) == 0)) then
         array = nothing(shape(a), signedness(VOXLANE_I16, unsigned))
         return
      end if
      array = layout(c_loc(a(1, 1, 1)), [c_loc(a(second(size(a, 1)), 1, 1)), &
         c_loc(a(1, second(size(a, 2)), 1)), c_loc(a(1, 1, second(size(a, 3))))], shape(a), &
         int(storage_size(a)/8, c_size_t), signedness(VOXLANE_I16, unsigned))
   end function readable_i16

   function readable_i32(a, unsigned) result(array)
      integer(c_int32_t), intent(in), target :: a(:, :, :)
      logical, intent(in), optional :: unsigned
      type(voxlane_array) :: array
      if (any(shape(a) == 0)) then
         array = nothing(shape(a), signedness(VOXLANE_I32, unsigned))
         return
      end if
      array = layout(c_loc(a(1, 1, 1)), [c_loc(a(second(size(a, 1)), 1, 1)), &
         c_loc(a(1, second(size(a, 2)), 1)), c_loc(a(1, 1, second(size(a, 3))))], shape(a), &
         int(storage_size(a)/8, c_size_t), signedness(VOXLANE_I32, unsigned))
   end function readable_i32

   function readable_bool(a) result(array)
      logical(c_bool), intent(in), target :: a(:, :, :)
      type(voxlane_array) :: array
      if (any(shape(a) == 0)) then
         array = nothing(shape(a), VOXLANE_U8)
         return
      end if
      array = layout(c_loc(a(1, 1, 1)), [c_loc(a(second(size(a, 1)), 1, 1)), &
         c_loc(a(1, second(size(a, 2)), 1)), c_loc(a(1, 1, second(size(a, 3))))], shape(a), &
         int(storage_size(a)/8, c_size_t), VOXLANE_U8)
   end function readable_bool

   function writable_f32(a) result(array)
      real(c_float), intent(inout), target :: a(:, :, :)
      type(voxlane_array_mut) :: array
      array = as_output(readable(a))
   end function writable_f32

   function writable_f64(a) result(array)
      real(c_double), intent(inout), target :: a(:, :, :)
      type(voxlane_array_mut) :: array
      array = as_output(readable(a))
   end function writable_f64

   !> Labels reach from 0 to 27, the same in signed and unsigned bytes.
   function writable_i8(a) result(array)
      integer(c_int8_t), intent(inout), target :: a(:, :, :)
      type(voxlane_array_mut) :: array
      array = as_output(readable(a, unsigned=.true.))
   end function writable_i8

   ! --- Steepest neighbour --------------------------------------------------------------------------------------

   subroutine label(image, labels, options, unsigned, stat, errmsg)
      type(voxlane_array), intent(in) :: image
      type(voxlane_array_mut), intent(in) :: labels
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      type(steepest_options), target :: chosen
      type(voxlane_steepest_options) :: raw
      type(voxlane_array) :: read_as

      if (.not. library_fits(stat, errmsg)) return
      if (present(options)) chosen = options
      read_as = image
      if (present(unsigned)) then
         if (unsigned .and. (image%dtype == VOXLANE_F32 .or. image%dtype == VOXLANE_F64)) then
            call report(VOXLANE_ERR_DTYPE, "image: real numbers cannot be unsigned", stat, errmsg)
            return
         end if
         read_as%dtype = signedness(image%dtype, unsigned)
      end if
      if (any([image%dtype, labels%dtype, chosen%mask%dtype, chosen%slope%dtype] < 0)) then
         call report(VOXLANE_ERR_STRIDE, "the distance between elements is no multiple of their size", stat, errmsg)
         return
      end if

      call voxlane_steepest_options_init(raw)
      raw%direction = chosen%direction
      raw%minima = chosen%minima
      raw%border = chosen%border(3:1:-1)
      raw%spacing = chosen%spacing(3:1:-1)
      ! Three zeros mean the default in C. One zero is refused, with a text.
      if (all(abs(chosen%spacing) <= 0)) raw%spacing(3) = 1
      raw%isa = chosen%isa
      raw%threads = chosen%threads
      if (allocated(chosen%weights)) then
         if (any(shape(chosen%weights) /= 3)) then
            call report(VOXLANE_ERR_SHAPE, "weights: shape "//listed(shape(chosen%weights))//" is not (3, 3, 3)", stat, &
               errmsg)
            return
         end if
         ! First index fastest is C's order of neighbours.
         raw%weights = c_loc(chosen%weights(1, 1, 1))
      end if
      if (c_associated(chosen%mask%data)) raw%mask = c_loc(chosen%mask)
      if (c_associated(chosen%slope%data)) raw%slope = c_loc(chosen%slope)
      if (any(chosen%planes /= 0)) then
         if (chosen%planes(1) < 1 .or. chosen%planes(2) < chosen%planes(1)) then
            call report(VOXLANE_ERR_OPTION, "planes "//listed(chosen%planes)//" is no range of the third index", stat, errmsg)
            return
         end if
         ! From first and last, counted from 1, to a half-open range counted from 0.
         raw%planes = int([chosen%planes(1) - 1, chosen%planes(2)], c_size_t)
      end if
      raw%progress = chosen%progress
      raw%progress_user = chosen%progress_user
      call report(voxlane_steepest(read_as, labels, raw), "", stat, errmsg)
   end subroutine label

   subroutine steepest_f32_i8(image, labels, options, unsigned, stat, errmsg)
      real(c_float), intent(in), target :: image(:, :, :)
      integer(c_int8_t), intent(inout), target :: labels(:, :, :)
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call label(readable(image), writable(labels), options, unsigned, stat, errmsg)
   end subroutine steepest_f32_i8

   subroutine steepest_f64_i8(image, labels, options, unsigned, stat, errmsg)
      real(c_double), intent(in), target :: image(:, :, :)
      integer(c_int8_t), intent(inout), target :: labels(:, :, :)
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call label(readable(image), writable(labels), options, unsigned, stat, errmsg)
   end subroutine steepest_f64_i8

   subroutine steepest_i8_i8(image, labels, options, unsigned, stat, errmsg)
      integer(c_int8_t), intent(in), target :: image(:, :, :)
      integer(c_int8_t), intent(inout), target :: labels(:, :, :)
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call label(readable(image), writable(labels), options, unsigned, stat, errmsg)
   end subroutine steepest_i8_i8

   subroutine steepest_i16_i8(image, labels, options, unsigned, stat, errmsg)
      integer(c_int16_t), intent(in), target :: image(:, :, :)
      integer(c_int8_t), intent(inout), target :: labels(:, :, :)
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call label(readable(image), writable(labels), options, unsigned, stat, errmsg)
   end subroutine steepest_i16_i8

   subroutine steepest_i32_i8(image, labels, options, unsigned, stat, errmsg)
      integer(c_int32_t), intent(in), target :: image(:, :, :)
      integer(c_int8_t), intent(inout), target :: labels(:, :, :)
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call label(readable(image), writable(labels), options, unsigned, stat, errmsg)
   end subroutine steepest_i32_i8

   subroutine steepest_f32_f32(image, labels, options, unsigned, stat, errmsg)
      real(c_float), intent(in), target :: image(:, :, :)
      real(c_float), intent(inout), target :: labels(:, :, :)
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call label(readable(image), writable(labels), options, unsigned, stat, errmsg)
   end subroutine steepest_f32_f32

   subroutine steepest_f64_f32(image, labels, options, unsigned, stat, errmsg)
      real(c_double), intent(in), target :: image(:, :, :)
      real(c_float), intent(inout), target :: labels(:, :, :)
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call label(readable(image), writable(labels), options, unsigned, stat, errmsg)
   end subroutine steepest_f64_f32

   subroutine steepest_i8_f32(image, labels, options, unsigned, stat, errmsg)
      integer(c_int8_t), intent(in), target :: image(:, :, :)
      real(c_float), intent(inout), target :: labels(:, :, :)
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call label(readable(image), writable(labels), options, unsigned, stat, errmsg)
   end subroutine steepest_i8_f32

   subroutine steepest_i16_f32(image, labels, options, unsigned, stat, errmsg)
      integer(c_int16_t), intent(in), target :: image(:, :, :)
      real(c_float), intent(inout), target :: labels(:, :, :)
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call label(readable(image), writable(labels), options, unsigned, stat, errmsg)
   end subroutine steepest_i16_f32

   subroutine steepest_i32_f32(image, labels, options, unsigned, stat, errmsg)
      integer(c_int32_t), intent(in), target :: image(:, :, :)
      real(c_float), intent(inout), target :: labels(:, :, :)
      type(steepest_options), intent(in), optional :: options
      logical, intent(in), optional :: unsigned
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call label(readable(image), writable(labels), options, unsigned, stat, errmsg)
   end subroutine steepest_i32_f32

   ! --- Sum of Gaussians ----------------------------------------------------------------------------------------

   !> Centres and sigmas come as rank-3 descriptions with a last index of extent 1, amplitudes with two; null: none.
   subroutine add_up(centers, sigmas, amplitudes, grid, origin, spacing, options, stat, errmsg)
      type(voxlane_array), intent(in) :: centers, sigmas, amplitudes
      type(voxlane_array_mut), intent(in) :: grid
      real(c_double), intent(in), optional :: origin(3), spacing(3)
      type(gaussian_options), intent(in), optional :: options
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      type(gaussian_options) :: chosen
      type(voxlane_gaussians) :: sources
      type(voxlane_grid) :: target_grid
      type(voxlane_gaussian_options) :: raw
      integer(c_size_t) :: count

      if (.not. library_fits(stat, errmsg)) return
      if (present(options)) chosen = options
      if (any([centers%dtype, sigmas%dtype, amplitudes%dtype, grid%dtype] < 0)) then
         call report(VOXLANE_ERR_STRIDE, "the distance between elements is no multiple of their size", stat, errmsg)
         return
      end if
      count = centers%shape(2)
      if (centers%shape(3) /= 3) then
         call report(VOXLANE_ERR_SHAPE, "centers: shape "//listed(int(centers%shape(3:2:-1)))//" is not (3, n)", stat, errmsg)
         return
      end if
      if (all(sigmas%shape(3) /= [1, 3]) .or. (sigmas%shape(2) /= 1 .and. sigmas%shape(2) /= count)) then
         call report(VOXLANE_ERR_SHAPE, "sigma: shape "//listed(int(sigmas%shape(3:2:-1)))// &
            " is not (1, 1), (1, n), (3, 1) or (3, n) for n = "//decimal(count)//" centres", stat, errmsg)
         return
      end if
      if (c_associated(amplitudes%data) .and. amplitudes%shape(3) /= count) then
         call report(VOXLANE_ERR_SHAPE, "amplitudes: "//decimal(amplitudes%shape(3))//" for "// &
            decimal(count)//" centres", stat, errmsg)
         return
      end if

      sources%count = count
      sources%dtype = centers%dtype
      sources%reserved = 0
      ! C's first axis is Fortran's last index: begin at the third coordinate and go back.
      sources%centers = moved(centers%data, 2*centers%stride(3), centers%dtype)
      sources%center_stride = [centers%stride(2), -centers%stride(3)]
      sources%amplitudes = amplitudes%data
      sources%amplitude_stride = amplitudes%stride(3)
      sources%sigmas = sigmas%data
      sources%sigma_stride = 0
      if (sigmas%shape(2) /= 1) sources%sigma_stride(1) = sigmas%stride(2)
      if (sigmas%shape(3) == 3) then
         sources%sigmas = moved(sigmas%data, 2*sigmas%stride(3), sigmas%dtype)
         sources%sigma_stride(2) = -sigmas%stride(3)
      end if

      target_grid%values = grid
      target_grid%origin = 0
      target_grid%spacing = 1
      if (present(origin)) target_grid%origin = origin(3:1:-1)
      if (present(spacing)) target_grid%spacing = spacing(3:1:-1)

      call voxlane_gaussian_options_init(raw)
      raw%normalization = chosen%normalization
      raw%support = chosen%support
      raw%sampling = chosen%sampling
      raw%periodic = merge(1_c_int32_t, 0_c_int32_t, chosen%periodic(3:1:-1))
      raw%accumulate = merge(1_c_int32_t, 0_c_int32_t, chosen%accumulate)
      raw%isa = chosen%isa
      raw%threads = chosen%threads
      raw%eps = chosen%eps
      raw%progress = chosen%progress
      raw%progress_user = chosen%progress_user
      call report(voxlane_sum_gaussians(sources, target_grid, raw), "", stat, errmsg)
   end subroutine add_up

   !> An address some real elements further on.
   pure function moved(address, elements, dtype) result(there)
      type(c_ptr), intent(in) :: address
      integer(c_size_t), intent(in) :: elements
      integer(c_int32_t), intent(in) :: dtype
      type(c_ptr) :: there
      integer(c_intptr_t) :: bytes
      bytes = int(elements, c_intptr_t)*merge(4_c_intptr_t, 8_c_intptr_t, dtype == VOXLANE_F32)
      there = transfer(transfer(address, bytes) + bytes, there)
   end function moved

   !> A table, such as centers(3, n).
   function table_f32(a) result(array)
      real(c_float), intent(in), target :: a(:, :)
      type(voxlane_array) :: array
      if (any(shape(a) == 0)) then
         array = nothing([shape(a), 1], VOXLANE_F32)
         return
      end if
      array = layout(c_loc(a(1, 1)), [c_loc(a(second(size(a, 1)), 1)), c_loc(a(1, second(size(a, 2)))), &
         c_loc(a(1, 1))], [shape(a), 1], int(storage_size(a)/8, c_size_t), VOXLANE_F32)
   end function table_f32

   !> A list that may be absent.
   function list_f32(a) result(array)
      real(c_float), intent(in), target, optional :: a(:)
      type(voxlane_array) :: array
      if (.not. present(a)) return
      if (any(shape(a) == 0)) then
         array = nothing([0, 1, 1], VOXLANE_F32)
         return
      end if
      array = layout(c_loc(a(1)), [c_loc(a(second(size(a)))), c_loc(a(1)), c_loc(a(1))], [size(a), 1, 1], &
         int(storage_size(a)/8, c_size_t), VOXLANE_F32)
   end function list_f32

   !> A table, such as centers(3, n).
   function table_f64(a) result(array)
      real(c_double), intent(in), target :: a(:, :)
      type(voxlane_array) :: array
      if (any(shape(a) == 0)) then
         array = nothing([shape(a), 1], VOXLANE_F64)
         return
      end if
      array = layout(c_loc(a(1, 1)), [c_loc(a(second(size(a, 1)), 1)), c_loc(a(1, second(size(a, 2)))), &
         c_loc(a(1, 1))], [shape(a), 1], int(storage_size(a)/8, c_size_t), VOXLANE_F64)
   end function table_f64

   !> A list that may be absent.
   function list_f64(a) result(array)
      real(c_double), intent(in), target, optional :: a(:)
      type(voxlane_array) :: array
      if (.not. present(a)) return
      if (any(shape(a) == 0)) then
         array = nothing([0, 1, 1], VOXLANE_F64)
         return
      end if
      array = layout(c_loc(a(1)), [c_loc(a(second(size(a)))), c_loc(a(1)), c_loc(a(1))], [size(a), 1, 1], &
         int(storage_size(a)/8, c_size_t), VOXLANE_F64)
   end function list_f64

   subroutine sum_f32_one_f32(centers, sigma, grid, origin, spacing, amplitudes, options, stat, errmsg)
      real(c_float), intent(in), target :: centers(:, :)
      real(c_float), intent(in) :: sigma
      real(c_float), intent(inout), target :: grid(:, :, :)
      real(c_double), intent(in), optional :: origin(3), spacing(3)
      real(c_float), intent(in), target, optional :: amplitudes(:)
      type(gaussian_options), intent(in), optional :: options
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      real(c_float), target :: all_sigmas(1, 1)
      all_sigmas = sigma
      call add_up(table_f32(centers), table_f32(all_sigmas), list_f32(amplitudes), writable(grid), &
         origin, spacing, options, stat, errmsg)
   end subroutine sum_f32_one_f32

   subroutine sum_f32_one_f64(centers, sigma, grid, origin, spacing, amplitudes, options, stat, errmsg)
      real(c_float), intent(in), target :: centers(:, :)
      real(c_float), intent(in) :: sigma
      real(c_double), intent(inout), target :: grid(:, :, :)
      real(c_double), intent(in), optional :: origin(3), spacing(3)
      real(c_float), intent(in), target, optional :: amplitudes(:)
      type(gaussian_options), intent(in), optional :: options
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      real(c_float), target :: all_sigmas(1, 1)
      all_sigmas = sigma
      call add_up(table_f32(centers), table_f32(all_sigmas), list_f32(amplitudes), writable(grid), &
         origin, spacing, options, stat, errmsg)
   end subroutine sum_f32_one_f64

   subroutine sum_f64_one_f32(centers, sigma, grid, origin, spacing, amplitudes, options, stat, errmsg)
      real(c_double), intent(in), target :: centers(:, :)
      real(c_double), intent(in) :: sigma
      real(c_float), intent(inout), target :: grid(:, :, :)
      real(c_double), intent(in), optional :: origin(3), spacing(3)
      real(c_double), intent(in), target, optional :: amplitudes(:)
      type(gaussian_options), intent(in), optional :: options
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      real(c_double), target :: all_sigmas(1, 1)
      all_sigmas = sigma
      call add_up(table_f64(centers), table_f64(all_sigmas), list_f64(amplitudes), writable(grid), &
         origin, spacing, options, stat, errmsg)
   end subroutine sum_f64_one_f32

   subroutine sum_f64_one_f64(centers, sigma, grid, origin, spacing, amplitudes, options, stat, errmsg)
      real(c_double), intent(in), target :: centers(:, :)
      real(c_double), intent(in) :: sigma
      real(c_double), intent(inout), target :: grid(:, :, :)
      real(c_double), intent(in), optional :: origin(3), spacing(3)
      real(c_double), intent(in), target, optional :: amplitudes(:)
      type(gaussian_options), intent(in), optional :: options
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      real(c_double), target :: all_sigmas(1, 1)
      all_sigmas = sigma
      call add_up(table_f64(centers), table_f64(all_sigmas), list_f64(amplitudes), writable(grid), &
         origin, spacing, options, stat, errmsg)
   end subroutine sum_f64_one_f64

   subroutine sum_f32_each_f32(centers, sigma, grid, origin, spacing, amplitudes, options, stat, errmsg)
      real(c_float), intent(in), target :: centers(:, :)
      real(c_float), intent(in), target :: sigma(:, :)
      real(c_float), intent(inout), target :: grid(:, :, :)
      real(c_double), intent(in), optional :: origin(3), spacing(3)
      real(c_float), intent(in), target, optional :: amplitudes(:)
      type(gaussian_options), intent(in), optional :: options
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call add_up(table_f32(centers), table_f32(sigma), list_f32(amplitudes), writable(grid), &
         origin, spacing, options, stat, errmsg)
   end subroutine sum_f32_each_f32

   subroutine sum_f32_each_f64(centers, sigma, grid, origin, spacing, amplitudes, options, stat, errmsg)
      real(c_float), intent(in), target :: centers(:, :)
      real(c_float), intent(in), target :: sigma(:, :)
      real(c_double), intent(inout), target :: grid(:, :, :)
      real(c_double), intent(in), optional :: origin(3), spacing(3)
      real(c_float), intent(in), target, optional :: amplitudes(:)
      type(gaussian_options), intent(in), optional :: options
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call add_up(table_f32(centers), table_f32(sigma), list_f32(amplitudes), writable(grid), &
         origin, spacing, options, stat, errmsg)
   end subroutine sum_f32_each_f64

   subroutine sum_f64_each_f32(centers, sigma, grid, origin, spacing, amplitudes, options, stat, errmsg)
      real(c_double), intent(in), target :: centers(:, :)
      real(c_double), intent(in), target :: sigma(:, :)
      real(c_float), intent(inout), target :: grid(:, :, :)
      real(c_double), intent(in), optional :: origin(3), spacing(3)
      real(c_double), intent(in), target, optional :: amplitudes(:)
      type(gaussian_options), intent(in), optional :: options
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call add_up(table_f64(centers), table_f64(sigma), list_f64(amplitudes), writable(grid), &
         origin, spacing, options, stat, errmsg)
   end subroutine sum_f64_each_f32

   subroutine sum_f64_each_f64(centers, sigma, grid, origin, spacing, amplitudes, options, stat, errmsg)
      real(c_double), intent(in), target :: centers(:, :)
      real(c_double), intent(in), target :: sigma(:, :)
      real(c_double), intent(inout), target :: grid(:, :, :)
      real(c_double), intent(in), optional :: origin(3), spacing(3)
      real(c_double), intent(in), target, optional :: amplitudes(:)
      type(gaussian_options), intent(in), optional :: options
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      call add_up(table_f64(centers), table_f64(sigma), list_f64(amplitudes), writable(grid), &
         origin, spacing, options, stat, errmsg)
   end subroutine sum_f64_each_f64

   ! --- Errors --------------------------------------------------------------------------------------------------

   !> Whether the library that was found at run time has the structs of this file; looked at once.
   function library_fits(stat, errmsg) result(fits)
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      logical :: fits
      logical, save :: known = .false.
      type(voxlane_array) :: array
      type(voxlane_array_mut) :: array_mut
      type(voxlane_steepest_options) :: steepest_struct
      type(voxlane_gaussians) :: gaussians
      type(voxlane_grid) :: grid
      type(voxlane_gaussian_options) :: gaussian_struct

      fits = known
      if (known) return
      fits = voxlane_abi_version() == VOXLANE_ABI .and. voxlane_sizeof(1) == c_sizeof(array) .and. &
         voxlane_sizeof(2) == c_sizeof(array_mut) .and. voxlane_sizeof(3) == c_sizeof(steepest_struct) .and. &
         voxlane_sizeof(4) == c_sizeof(gaussians) .and. voxlane_sizeof(5) == c_sizeof(grid) .and. &
         voxlane_sizeof(6) == c_sizeof(gaussian_struct)
      known = fits
      if (.not. fits) call report(VOXLANE_ERR_OPTION, "voxlane.f90 is for another ABI than the library", stat, errmsg)
   end function library_fits

   subroutine report(status, text, stat, errmsg)
      integer(c_int32_t), intent(in) :: status
      character(*), intent(in) :: text !< empty: the library's
      integer, intent(out), optional :: stat
      character(*), intent(inout), optional :: errmsg
      character(:), allocatable :: message

      if (present(stat)) stat = int(status)
      if (status == VOXLANE_OK) return
      if (len(text) > 0) then
         message = text
      else
         message = from_c(voxlane_last_error())
      end if
      if (present(errmsg)) errmsg = message
      if (.not. present(stat)) then
         ! Fortran 2008 wants a constant after error stop, so the text goes ahead of it.
         write (error_unit, '(2a)') "voxlane: ", message
         error stop 1
      end if
   end subroutine report

   !> "(5, 2)"
   pure function listed(values) result(text)
      integer, intent(in) :: values(:)
      character(:), allocatable :: text
      character(80) :: buffer
      write (buffer, '("(", *(i0, :, ", "))') values
      text = trim(buffer)//")"
   end function listed

   pure function decimal(value) result(text)
      integer(c_size_t), intent(in) :: value
      character(:), allocatable :: text
      character(20) :: buffer
      write (buffer, '(i0)') value
      text = trim(buffer)
   end function decimal

   function from_c(text) result(string)
      type(c_ptr), intent(in) :: text
      character(:), allocatable :: string
      character(kind=c_char), pointer :: characters(:)
      integer :: i

      call c_f_pointer(text, characters, [c_string_length(text)])
      allocate (character(size(characters)) :: string)
      do i = 1, size(characters)
         string(i:i) = characters(i)
      end do
   end function from_c

end module voxlane
