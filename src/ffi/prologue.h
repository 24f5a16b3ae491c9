/*
 * voxlane: steepest-neighbour labels and sums of Gaussians on 3-D grids.
 *
 * This file is generated from the library's source (src/ffi). Do not edit it.
 *
 * AXES       Axis 0 is the slowest in the usual order of memory ("z"), axis 2 the fastest ("x"), as in NumPy. Shapes,
 *            strides, spacings and coordinates are given in this order. (A Fortran array a(nx,ny,nz) has shape
 *            {nz, ny, nx}.)
 * STRIDES    count elements, not bytes, and may be negative. An input may have stride 0; two elements of an output must
 *            not share memory. Outputs must not overlap inputs or each other.
 * MEMORY     belongs to the caller. The library keeps no pointer after a call has returned, and reads and writes nothing
 *            but the elements that shapes and strides name. What a pointer to const leads to is not changed.
 * ERRORS     Functions that can fail return a voxlane_status. Arguments are validated before any output is written: on
 *            any error but VOXLANE_CANCELLED and VOXLANE_ERR_PANIC every output is untouched. voxlane_last_error() tells
 *            more, with the offending numbers. The library never exits, and prints nothing but Rust's report of a bug
 *            of its own, on stderr, before it returns VOXLANE_ERR_PANIC. (Where memory runs out at the very moment at
 *            which helper threads start, the system's own code for threads may end the process.)
 * OPTIONS    structs begin with their own size, so that fields can be added at their end. Always fill them by their _init
 *            function first. NULL means all defaults. Unknown values of an option are an error.
 * THREADS    Every function may be called from any number of threads at once, also on the same inputs. A call uses up to
 *            `threads` threads: the caller's, and helpers that the process shares and that sleep between calls.
 *            Results are the same bits for every number of threads. After fork() the child may call, too. Helpers take
 *            none of the process's signals. A caller's stack should have 64 KiB to spare.
 * FLOATS     On x86 and aarch64 a call computes in the processor's default floating-point mode whatever the caller's
 *            (rounding, denormals, traps), as do its callbacks; mode and exception flags are afterwards what they were.
 * ISA        One binary holds code for several instruction sets and takes the highest that the machine runs. The
 *            environment variable VOXLANE_ISA=portable|avx2|avx512 and the option `isa` lower it. VOXLANE_ISA and
 *            VOXLANE_THREADS are read once, at the first call.
 * ABI        VOXLANE_ABI_VERSION is the number in the shared library's SONAME. It changes when a program compiled
 *            against an older header could break; new functions and new option fields do not change it.
 */
