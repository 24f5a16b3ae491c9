!> What voxlane.f90 promises.
module checks
   use voxlane
   use, intrinsic :: iso_c_binding
   implicit none
   integer :: failures = 0
   integer, parameter :: nx = 7, ny = 6, nz = 5
   real(c_double) :: last_fraction = -1

   type record
      integer(c_int8_t) :: label = 0
      real(c_double) :: value = 0, other = 0
   end type record

contains

   subroutine expect(holds, what)
      logical, intent(in) :: holds
      character(*), intent(in) :: what
      if (holds) return
      print '(2a)', "FAILED: ", what
      failures = failures + 1
   end subroutine expect

   !> Whole numbers below 128, no two neighbours equal.
   pure real(c_double) function pattern(x, y, z)
      integer, intent(in) :: x, y, z
      pattern = mod(37*x + 61*y + 17*z + 5*x*y*z, 127)
   end function pattern

   !> The rule as written down: steepest descent with all borders inside and flat minima, indices in Fortran's order.
   integer function expected(image, spacing, x, y, z)
      real(c_double), intent(in) :: image(:, :, :), spacing(3)
      integer, intent(in) :: x, y, z
      integer :: dx, dy, dz
      real(c_double) :: score, best
      best = 0
      expected = VOXLANE_LABEL_CENTER
      do dz = max(-1, 1 - z), min(1, size(image, 3) - z)
         do dy = max(-1, 1 - y), min(1, size(image, 2) - y)
            do dx = max(-1, 1 - x), min(1, size(image, 1) - x)
               if (dx == 0 .and. dy == 0 .and. dz == 0) cycle
               score = (image(x, y, z) - image(x + dx, y + dy, z + dz))*(1/sqrt((dz*spacing(3))**2 &
                  + (dy*spacing(2))**2 + (dx*spacing(1))**2))
               if (score > best) then
                  best = score
                  expected = 9*(dz + 1) + 3*(dy + 1) + dx + 1
               end if
            end do
         end do
      end do
   end function expected

   logical function all_as_expected(image, spacing, labels)
      real(c_double), intent(in) :: image(:, :, :), spacing(3)
      integer(c_int8_t), intent(in) :: labels(:, :, :)
      integer :: x, y, z
      all_as_expected = .true.
      do z = 1, size(image, 3)
         do y = 1, size(image, 2)
            do x = 1, size(image, 1)
               if (labels(x, y, z) /= expected(image, spacing, x, y, z)) all_as_expected = .false.
            end do
         end do
      end do
   end function all_as_expected

   integer(c_int) function note(user, fraction) bind(C)
      type(c_ptr), value :: user
      real(c_double), value :: fraction
      last_fraction = fraction
      note = merge(1, 0, c_associated(user))
   end function note

   subroutine labels_in_fortran_s_order()
      real(c_double) :: image(nx, ny, nz)
      integer(c_int8_t), target :: labels(nx, ny, nz), wide(2*nx, ny, 3*nz)
      real(c_float) :: as_real(nx, ny, nz)
      real(c_double), parameter :: spacing(3) = [0.5d0, 1d0, 2.5d0]
      type(steepest_options) :: options
      integer :: x, y, z
      do z = 1, nz
         do y = 1, ny
            do x = 1, nx
               image(x, y, z) = pattern(x, y, z)
            end do
         end do
      end do
      options = steepest_options(minima=VOXLANE_MINIMA_FLAT, border=VOXLANE_BORDER_INSIDE, spacing=spacing)
      call steepest(image, labels, options)
      call expect(all_as_expected(image, spacing, labels), "spacing in Fortran's order")
      call steepest(real(image, c_float), as_real, options)
      call expect(all(int(as_real) == labels), "real images and labels")
      call steepest(int(image, c_int8_t), labels, options)
      call expect(all(int(as_real) == labels), "integer(c_int8_t)")
      call steepest(int(image, c_int16_t), labels, options)
      call expect(all(int(as_real) == labels), "integer(c_int16_t)")
      call steepest(int(image, c_int32_t), as_real, options)
      call expect(all(int(as_real) == labels), "integer(c_int32_t)")

      ! Sections: strides of both signs, on both sides, and extents of 1.
      wide = 99
      call steepest(image(nx:1:-1, ::2, 2:), wide(1::2, ny:4:-1, 3:12:3), options)
      call expect(all_as_expected(image(nx:1:-1, ::2, 2:), [0.5d0, 1d0, 2.5d0], wide(1::2, ny:4:-1, 3:12:3)), "sections")
      call expect(all(wide(2::2, :, :) == 99) .and. all(wide(:, :3, :) == 99) .and. all(wide(:, :, 13:) == 99), &
         "nothing else is written")
      call steepest(image(3:3, :, ::2), labels(2:2, :, 1:3), options)
      call expect(all_as_expected(image(3:3, :, ::2), spacing, labels(2:2, :, 1:3)), "an extent of 1")

      ! The skipped border is the first index's.
      options = steepest_options(minima=VOXLANE_MINIMA_FLAT, &
         border=[VOXLANE_BORDER_SKIP, VOXLANE_BORDER_INSIDE, VOXLANE_BORDER_INSIDE], planes=[2, 3], threads=1)
      labels = 99
      call steepest(image, labels, options)
      call expect(all(labels(1, :, 2:3) == 0) .and. all(labels(nx, :, 2:3) == 0), "border in Fortran's order")
      call expect(all(labels(:, :, 1) == 99) .and. all(labels(:, :, 4:) == 99) .and. &
         all(labels(:, :, 2:3) /= 99), "planes are those of the third index")
      call expect(all(label_offset(14) == [1, 0, 0]) .and. all(label_offset(4) == [0, 0, -1]), "label_offset")
   end subroutine labels_in_fortran_s_order

   !> Components of records lie several elements apart; some compilers copy them on their own account.
   subroutine components()
      type(record) :: records(nx, ny, nz)
      integer(c_int8_t) :: labels(nx, ny, nz)
      integer :: x, y, z
      do concurrent (x=1:nx, y=1:ny, z=1:nz)
         records(x, y, z)%value = pattern(x, y, nz + 1 - z)
      end do
      records%label = 99
      call steepest(records(:, :, nz:1:-1)%value, records(:, :, nz:1:-1)%label, &
         steepest_options(minima=VOXLANE_MINIMA_FLAT, border=VOXLANE_BORDER_INSIDE))
      labels = records(:, :, nz:1:-1)%label
      call expect(all_as_expected(records(:, :, nz:1:-1)%value, [1d0, 1d0, 1d0], labels), "components of records")
      call expect(all(abs(records%other) <= 0), "nothing between components is written")
   end subroutine components

   subroutine more_options()
      real(c_float), target :: image(nx, ny, nz), slope(nx, ny, nz)
      integer(c_int8_t) :: labels(nx, ny, nz), unsigned(nx, ny, nz)
      logical(c_bool), target :: mask(nx, ny, nz)
      type(steepest_options) :: options
      integer :: x, stat
      integer, target :: someone
      image = reshape([(real(mod(37*x, 251)), x=1, nx*ny*nz)], shape(image))
      mask = .true.
      mask(2, 3, 4) = .false.
      options%direction = VOXLANE_ASCENT
      options%minima = VOXLANE_MINIMA_FLAT
      options%border = VOXLANE_BORDER_PERIODIC
      options%mask = readable(mask)
      options%slope = writable(slope)
      options%progress = c_funloc(note)
      call steepest(image, labels, options)
      call expect(labels(2, 3, 4) == VOXLANE_LABEL_MASKED .and. slope(2, 3, 4) >= 0, "mask")
      call expect(count(labels == VOXLANE_LABEL_MASKED) == 1, "one masked voxel")
      call expect(all(slope > 0 .eqv. (labels /= VOXLANE_LABEL_CENTER .and. labels /= VOXLANE_LABEL_MASKED)), "slope")
      call expect(last_fraction >= 1, "progress")
      options%progress_user = c_loc(someone)
      call steepest(image, labels, options, stat=stat)
      call expect(stat == VOXLANE_CANCELLED, "cancelled")

      options = steepest_options(minima=VOXLANE_MINIMA_FLAT)
      allocate (options%weights(3, 3, 3), source=0d0)
      options%weights(3, 2, 2) = 1
      call steepest(image, labels, options)
      call expect(labels(3, 3, 3) == merge(14, 13, image(3, 3, 3) > image(4, 3, 3)), "weights in Fortran's order")

      ! 200 is above 100 only if it is not read as -56.
      unsigned = 100
      unsigned(4, 3, 3) = transfer(200, 1_c_int8_t)
      options = steepest_options(minima=VOXLANE_MINIMA_FLAT, direction=VOXLANE_ASCENT)
      call steepest(unsigned, labels, options, unsigned=.true.)
      call expect(labels(3, 3, 3) == 14, "unsigned")
      call steepest(unsigned, labels, options)
      call expect(labels(3, 3, 3) == 13, "signed")
   end subroutine more_options

   subroutine sums()
      real(c_double) :: centers(3, 2), grid(nx, ny, nz), spread(6, 4), each(3, 2), again(nx, ny, nz)
      real(c_float) :: single(nx, ny, nz)
      type(gaussian_options) :: options
      integer :: x, y, z
      real(c_double) :: exact, error
      real(c_double), parameter :: origin(3) = [1d0, -2d0, 3d0], spacing(3) = [0.5d0, 0.75d0, 0.25d0], &
         widths(3) = [0.9d0, 0.7d0, 0.4d0]
      centers(:, 1) = [2d0, -1d0, 3.5d0]
      centers(:, 2) = [3.9d0, 1d0, 3.2d0]
      each(:, 1) = widths
      each(:, 2) = 2*widths
      options%eps = 0
      call sum_gaussians(centers, each, grid, origin, spacing, [2d0, -3d0], options)
      error = 0
      do z = 1, nz
         do y = 1, ny
            do x = 1, nx
               associate (r => origin + spacing*([x, y, z] - 1))
                  exact = 2*exp(-sum((r - centers(:, 1))**2/(2*widths**2))) &
                     - 3*exp(-sum((r - centers(:, 2))**2/(8*widths**2)))
               end associate
               error = max(error, abs(grid(x, y, z) - exact))
            end do
         end do
      end do
      call expect(error < 1e-12, "coordinates in Fortran's order")

      spread = 1e30_c_double
      spread(6:2:-2, 4:1:-3) = centers
      options%accumulate = .true.
      again = grid
      call sum_gaussians(spread(6:2:-2, 4:1:-3), each, again, origin, spacing, [2d0, -3d0], options)
      call expect(maxval(abs(again - 2*grid)) < 1e-12, "strided centres, accumulate")

      options%accumulate = .false.
      call sum_gaussians(centers, each(:, :1), grid, origin, spacing, options=options)
      call sum_gaussians(centers, reshape([widths, widths], [3, 2]), again, origin, spacing, options=options)
      call expect(maxval(abs(again - grid)) < 1e-14, "one sigma an index")
      call sum_gaussians(centers, reshape([0.5d0, 0.5d0], [1, 2]), grid, origin, spacing, options=options)
      call sum_gaussians(real(centers, c_float), 0.5_c_float, single, origin, spacing)
      call expect(maxval(abs(single - grid)) < 1e-4, "one sigma a centre, one sigma")

      ! Periodic along the first index only: mass is lost along the others.
      options = gaussian_options(normalization=VOXLANE_NORM_MASS, periodic=[.true., .false., .false.])
      call sum_gaussians(reshape([0d0, 3d0, 2d0], [3, 1]), 0.4d0, grid, options=options)
      call expect(abs(sum(grid) - 1) < 1e-12, "periodic in Fortran's order")
      call sum_gaussians(reshape([3d0, 0d0, 2d0], [3, 1]), 0.4d0, grid, options=options)
      call expect(sum(grid) < 0.999, "clipped in Fortran's order")
   end subroutine sums

   subroutine errors()
      real(c_float) :: image(nx, ny, nz)
      integer(c_int8_t) :: labels(nx, ny, nz)
      real(c_double) :: grid(nx, ny, nz)
      type(steepest_options) :: options
      integer :: stat
      character(200) :: text
      image = 0
      labels = 99
      call steepest(image, labels(:, :, 2:), stat=stat, errmsg=text)
      call expect(stat == VOXLANE_ERR_SHAPE .and. index(text, "[4, 6, 7]") > 0, "stat and errmsg")
      call expect(all(labels == 99), "untouched")
      call steepest(image(:, :, :0), labels(:, :, :0), stat=stat)
      call expect(stat == VOXLANE_ERR_SHAPE, "no elements")
      call steepest(image, labels, unsigned=.true., stat=stat)
      call expect(stat == VOXLANE_ERR_DTYPE, "an unsigned real")
      call sum_gaussians(reshape([1d0, 2d0, 3d0], [3, 1]), -1d0, grid, stat=stat)
      call expect(stat == VOXLANE_ERR_VALUE, "sigma")
      ! What this file refuses by itself names its numbers, too.
      call sum_gaussians(reshape([1d0, 2d0], [2, 1]), 1d0, grid, stat=stat, errmsg=text)
      call expect(stat == VOXLANE_ERR_SHAPE .and. index(text, "centers: shape (2, 1)") == 1, "two coordinates")
      call sum_gaussians(reshape([1d0, 2d0, 3d0], [3, 1]), 1d0, grid, amplitudes=[1d0, 2d0], stat=stat, errmsg=text)
      call expect(stat == VOXLANE_ERR_SHAPE .and. text == "amplitudes: 2 for 1 centres", "two amplitudes")
      call sum_gaussians(reshape([1d0, 2d0, 3d0], [3, 1]), reshape([1d0, 2d0], [2, 1]), grid, stat=stat, errmsg=text)
      call expect(stat == VOXLANE_ERR_SHAPE .and. index(text, "sigma: shape (2, 1)") == 1, "two sigmas")
      call steepest(image, labels, steepest_options(planes=[3, 2]), stat=stat, errmsg=text)
      call expect(stat == VOXLANE_ERR_OPTION .and. index(text, "planes (3, 2)") == 1, "planes")
      call steepest(image, labels, steepest_options(planes=[3, 6]), stat=stat, errmsg=text)
      call expect(stat == VOXLANE_ERR_OPTION .and. index(text, "2 to 6") > 0, "planes beyond the image")
      options%weights = reshape([1d0, 2d0], [2, 1, 1])
      call steepest(image, labels, options, stat=stat, errmsg=text)
      call expect(stat == VOXLANE_ERR_SHAPE .and. index(text, "weights: shape (2, 1, 1)") == 1, "weights")
      call steepest(image, labels, steepest_options(spacing=[0d0, 0d0, 0d0]), stat=stat, errmsg=text)
      call expect(stat == VOXLANE_ERR_VALUE .and. index(text, "spacing of axis 0 is 0") == 1, "three zeros are no default")
      call expect(all(labels == 99), "still untouched")
      call steepest(image, labels, stat=stat)
      call expect(stat == VOXLANE_OK, "success")
   end subroutine errors

   !> 2^33 elements, of which a default integer's size() is 0. Described, never read: they need no memory.
   subroutine more_elements_than_an_integer_counts()
      integer, parameter :: n = 2048
      integer(c_int8_t), pointer :: large(:, :, :)
      type(voxlane_array) :: array
      type(c_ptr) :: somewhere
      somewhere = transfer(65536_c_intptr_t, somewhere)
      call c_f_pointer(somewhere, large, [n, n, n])
      array = readable(large)
      call expect(c_associated(array%data, somewhere) .and. array%dtype == VOXLANE_I8, "address of a large array")
      call expect(all(array%shape == n), "shape of a large array")
      call expect(all(array%stride == [n*n, n, 1]), "strides of a large array")
   end subroutine more_elements_than_an_integer_counts

   subroutine sizes()
      type(voxlane_steepest_options) :: options
      type(voxlane_gaussian_options) :: gaussian
      type(voxlane_grid) :: grid
      type(voxlane_gaussians) :: gaussians
      call voxlane_steepest_options_init(options)
      call voxlane_gaussian_options_init(gaussian)
      call expect(options%struct_size == c_sizeof(options), "steepest options")
      call expect(gaussian%struct_size == c_sizeof(gaussian) .and. gaussian%eps > 0.99e-6, "gaussian options")
      call expect(c_sizeof(grid) == 112 .and. c_sizeof(gaussians) == 80, "grid and gaussians")
      call expect(len(active_isa()) > 3, "instruction set")
      call expect(index(version(), ".") > 0, "version")
   end subroutine sizes

end module checks

program calls
   use checks
   use voxlane, only: steepest
   use, intrinsic :: iso_c_binding
   implicit none
   real(c_float) :: image(3, 3, 3)
   integer(c_int8_t) :: labels(3, 3, 2)
   character(16) :: what

   call get_command_argument(1, what)
   if (what == "components") then
      call components()
      if (failures > 0) error stop 1
      stop
   end if
   if (what == "without-stat") then
      ! Without stat the program must end here, with the text.
      image = 0
      call steepest(image, labels)
      print '(a)', "still alive"
      stop
   end if
   call sizes()
   call labels_in_fortran_s_order()
   call more_options()
   call sums()
   call errors()
   call more_elements_than_an_integer_counts()
   if (failures > 0) error stop 1
   print '(a)', "voxlane.f90: all checks passed"
end program calls
