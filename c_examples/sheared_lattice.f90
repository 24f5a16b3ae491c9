!> The electron density of a sheared crystal: a Gaussian an atom, on a grid around it, and its integral.
!>
!> Atoms sit on a lattice whose three vectors are neither equal nor at right angles. Each atom is a Gaussian of integral
!> 1, of a width of its own kind. Summed over the grid, times the volume of a voxel, the density must give the number of
!> atoms. The density's maxima, found by their labels, must be the atoms.
!>
!> Exit status: 0 done, 1 the result is not as expected, 3 the run failed.
program sheared_lattice
   use voxlane
   use, intrinsic :: iso_c_binding
   use, intrinsic :: iso_fortran_env, only: error_unit
   implicit none

   ! Lengths are in angstrom.
   integer, parameter :: cells(3) = [6, 5, 4]
   real(c_double), parameter :: lattice(3, 3) = reshape([ &
      3.2d0, 0.0d0, 0.0d0, &
      0.9d0, 2.9d0, 0.0d0, &
      -0.6d0, 0.8d0, 3.4d0], [3, 3]) ! one vector a column
   real(c_double), parameter :: widths(2) = [0.45d0, 0.6d0] ! of the two kinds of atoms, in turn
   real(c_double), parameter :: spacing(3) = [0.2d0, 0.2d0, 0.25d0]
   real(c_double), parameter :: eps = 1d-10

   real(c_double) :: centers(3, product(cells)), sigma(1, product(cells)), origin(3), margin, integral
   real(c_double), allocatable :: density(:, :, :)
   integer(c_int8_t), allocatable :: labels(:, :, :)
   integer :: atom, i, j, k, extents(3), stat, maxima
   character(300) :: text

   atom = 0
   do k = 0, cells(3) - 1
      do j = 0, cells(2) - 1
         do i = 0, cells(1) - 1
            atom = atom + 1
            centers(:, atom) = matmul(lattice, real([i, j, k], c_double))
            sigma(1, atom) = widths(1 + mod(i + j + k, 2))
         end do
      end do
   end do

   ! Far enough around the atoms that nothing is cut off at the grid's edge.
   margin = sqrt(-2*log(eps))*maxval(sigma)
   origin = minval(centers, dim=2) - margin
   extents = ceiling((maxval(centers, dim=2) + margin - origin)/spacing) + 1
   allocate (density(extents(1), extents(2), extents(3)), labels(extents(1), extents(2), extents(3)))

   ! [readme-begin]
   call sum_gaussians(centers, sigma, density, origin=origin, spacing=spacing, &
      options=gaussian_options(normalization=VOXLANE_NORM_INTEGRAL, eps=eps), stat=stat, errmsg=text)
   if (stat /= VOXLANE_OK) call fail(3, text)
   call steepest(density, labels, steepest_options(direction=VOXLANE_ASCENT, minima=VOXLANE_MINIMA_FLAT, &
      spacing=spacing), stat=stat, errmsg=text)
   ! [readme-end]
   if (stat /= VOXLANE_OK) call fail(3, text)

   integral = sum(density)*product(spacing)
   maxima = count(labels == VOXLANE_LABEL_CENTER .and. density > 0.5d0*maxval(density)*(widths(1)/widths(2))**3)
   print '(2a)', 'voxlane: ', version()
   print '(2a)', 'tier: ', active_isa()
   print '(a,i0,2(1x,i0))', 'grid_xyz: ', shape(density)
   print '(a,i0)', 'atoms: ', size(centers, 2)
   print '(a,f0.6)', 'integral: ', integral
   print '(a,i0)', 'local_maxima: ', maxima
   if (abs(integral - size(centers, 2)) > 1e-6*size(centers, 2)) call fail(1, 'the integral is not the number of atoms')
   if (maxima /= size(centers, 2)) call fail(1, 'the maxima are not the atoms')

contains

   subroutine fail(status, message)
      integer, intent(in) :: status
      character(*), intent(in) :: message
      write (error_unit, '(2a)') 'sheared_lattice: ', trim(message)
      if (status == 1) stop 1
      stop 3
   end subroutine fail

end program sheared_lattice
