"""
Steepest-neighbour labels and sums of Gaussians on 3-D grids, on Julia's arrays.

The functions of libvoxlane, by `ccall`: `include("Voxlane.jl"); using .Voxlane`. The library is looked for where the
environment variable `VOXLANE_LIBRARY` says, next to this file, where cargo builds it, under the prefix where this file
is installed, and last where the system keeps its libraries.

Index order: everything is in the order of Julia's indices. `spacing[1]`, `border[1]`, `origin[1]` and a centre's first
coordinate belong to the first index, which is the fastest in memory ("x"); the third index is the slowest ("z"). What
is passed on to C is turned around here. Label `9*(dz+1) + 3*(dy+1) + (dx+1)` leads from `[x, y, z]` to
`[x+dx, y+dy, z+dz]`; `label_offset(label)` gives `(dx, dy, dz)`. Only the texts of errors come from C, and name shapes
and axes in its order: axis 0 is the third index.

Strided arrays, also views with negative steps, are used where they lie.
"""
module Voxlane

using Libdl

export steepest, steepest!, sum_gaussians, sum_gaussians!, create_label, label_offset, VoxlaneError

const ABI = 1
"Label of a voxel that has no better neighbour."
const CENTER = 13
"Label of a voxel that the mask removes."
const MASKED = 27

# --- The C types, as in voxlane.h ---------------------------------------------------------------------------------

struct CArray # voxlane_array and voxlane_array_mut: the same layout
    data::Ptr{Cvoid}
    shape::NTuple{3,Csize_t}
    stride::NTuple{3,Cptrdiff_t}
    dtype::Int32
end

struct CSteepestOptions
    struct_size::Csize_t
    direction::Int32
    minima::Int32
    border::NTuple{3,Int32}
    isa::Int32
    threads::Int32
    reserved::Int32
    spacing::NTuple{3,Float64}
    weights::Ptr{Float64}
    mask::Ptr{CArray}
    slope::Ptr{CArray}
    planes::NTuple{2,Csize_t}
    progress::Ptr{Cvoid}
    progress_user::Ptr{Cvoid}
end

struct CGaussians
    count::Csize_t
    dtype::Int32
    reserved::Int32
    centers::Ptr{Cvoid}
    center_stride::NTuple{2,Cptrdiff_t}
    amplitudes::Ptr{Cvoid}
    amplitude_stride::Cptrdiff_t
    sigmas::Ptr{Cvoid}
    sigma_stride::NTuple{2,Cptrdiff_t}
end

struct CGrid
    values::CArray
    origin::NTuple{3,Float64}
    spacing::NTuple{3,Float64}
end

struct CGaussianOptions
    struct_size::Csize_t
    normalization::Int32
    support::Int32
    sampling::Int32
    periodic::NTuple{3,Int32}
    accumulate::Int32
    isa::Int32
    threads::Int32
    reserved::Int32
    eps::Float64
    progress::Ptr{Cvoid}
    progress_user::Ptr{Cvoid}
end

# The order is that of the numbers voxlane_sizeof takes, from 1.
const STRUCTS = (CArray, CArray, CSteepestOptions, CGaussians, CGrid, CGaussianOptions)

const Element = Union{UInt8,Int8,UInt16,Int16,UInt32,Int32,Float32,Float64}
const Real32or64 = Union{Float32,Float64}

element_type(::Type{UInt8}) = Int32(1)
element_type(::Type{Int8}) = Int32(2)
element_type(::Type{UInt16}) = Int32(3)
element_type(::Type{Int16}) = Int32(4)
element_type(::Type{UInt32}) = Int32(5)
element_type(::Type{Int32}) = Int32(6)
element_type(::Type{Float32}) = Int32(7)
element_type(::Type{Float64}) = Int32(8)
element_type(::Type{Bool}) = Int32(1) # the byte that its memory is

const DIRECTIONS = (descent=Int32(0), ascent=Int32(1))
const MINIMA = (reference=Int32(0), strict=Int32(1), flat=Int32(2))
const BORDERS = (skip=Int32(0), inside=Int32(1), periodic=Int32(2))
const NORMALIZATIONS = (peak=Int32(0), reference=Int32(1), integral=Int32(2), mass=Int32(3))
const SUPPORTS = (box=Int32(0), ball=Int32(1))
const SAMPLINGS = (point=Int32(0), voxel=Int32(1))
const ISAS = (auto=Int32(0), portable=Int32(1), avx2=Int32(2), avx512=Int32(3))

# --- The library --------------------------------------------------------------------------------------------------

"A call that the library refused or gave up, with its status: -1 (VOXLANE_ERR_NULL) to -100 (VOXLANE_ERR_PANIC)."
struct VoxlaneError <: Exception
    status::Int32
    text::String
end

Base.showerror(io::IO, error::VoxlaneError) = print(io, "VoxlaneError (status ", error.status, "): ", error.text)

const LIBRARY = Ref{Ptr{Cvoid}}(C_NULL)

symbol(name::Symbol) = Libdl.dlsym(LIBRARY[], name)

function find_library()
    chosen = get(ENV, "VOXLANE_LIBRARY", "")
    isempty(chosen) || return chosen
    names = Sys.iswindows() ? ["voxlane.dll"] :
            Sys.isapple() ? ["libvoxlane.$ABI.dylib", "libvoxlane.dylib"] :
            ["libvoxlane.so.$ABI", "libvoxlane.so"]
    # ../lib is for a file in <prefix>/include, ../../lib for one in <prefix>/share/voxlane. Debian has a folder for each
    # architecture.
    debian = "../../lib/$(Sys.ARCH)-linux-gnu"
    for folder in (".", "../target/release", "../lib", "../lib64", "../../lib", "../../lib64", debian), name in names
        path = normpath(joinpath(@__DIR__, folder, name))
        isfile(path) && return path
    end
    return first(names)
end

function __init__()
    LIBRARY[] = Libdl.dlopen(find_library())
    abi = ccall(symbol(:voxlane_abi_version), UInt32, ())
    abi == ABI || error("Voxlane.jl is for ABI $ABI, the library has ABI $abi")
    for (number, struct_type) in enumerate(STRUCTS)
        size = ccall(symbol(:voxlane_sizeof), Csize_t, (Int32,), number)
        size == sizeof(struct_type) ||
            error("$struct_type has $(sizeof(struct_type)) bytes in Voxlane.jl and $size in the library")
    end
end

"Version of the library that runs."
version() = VersionNumber(unsafe_string(ccall(symbol(:voxlane_version_string), Cstring, ())))

"Name of the instruction set that calls take by themselves: \"portable\", \"avx2\" or \"avx512\"."
function active_isa()
    isa = ccall(symbol(:voxlane_isa_active), Int32, ())
    isa < 0 && throw(VoxlaneError(isa, last_error()))
    return unsafe_string(ccall(symbol(:voxlane_isa_name), Cstring, (Int32,), isa))
end

last_error() = unsafe_string(ccall(symbol(:voxlane_last_error), Cstring, ()))

# --- Arguments ----------------------------------------------------------------------------------------------------

"The C description of an array: valid while the array is preserved."
function describe(array::StridedArray{T,3}) where {T}
    x, y, z = size(array)
    sx, sy, sz = strides(array)
    # Julia may put arrays without elements anywhere; the library refuses them by their shape, not their address.
    address = isempty(array) ? Ptr{Cvoid}(8) : Ptr{Cvoid}(pointer(array))
    return CArray(address, (z, y, x), (sz, sy, sx), element_type(T))
end

function choice(value::Symbol, name, choices)
    haskey(choices, value) ||
        throw(ArgumentError("$name is :$value, not one of $(join((":$key" for key in keys(choices)), ", "))"))
    return choices[value]
end

# One value stands for all indices.
per_index(value::Union{Number,Symbol}, name) = (value, value, value)
function per_index(values, name)
    length(values) == 3 || throw(ArgumentError("$name has $(length(values)) values, not 1 or 3"))
    return (values[1], values[2], values[3])
end

"Three values in C's order."
turned(value, name) = reverse(per_index(value, name))

# Three zeros mean the default in C. One zero is refused, with a text.
refused_if_zero(spacing) = all(iszero, spacing) ? (0.0, 0.0, 1.0) : spacing

# --- Progress -----------------------------------------------------------------------------------------------------

"A progress callback on its way through C, where no exception may pass."
mutable struct ProgressCall
    callback::Any
    exception::Any
end

function progress_step(user::Ptr{Cvoid}, fraction::Cdouble)::Cint
    call = unsafe_pointer_to_objref(user)::ProgressCall
    try
        # Anything but `true` goes on, so that a callback need not answer.
        return call.callback !== nothing && call.callback(fraction) === true ? Cint(1) : Cint(0)
    catch exception # an InterruptException, too: Ctrl-C arrives here
        call.exception = exception
        return Cint(1)
    end
end

progress_function() = @cfunction(progress_step, Cint, (Ptr{Cvoid}, Cdouble))

function finish(status::Int32, call::ProgressCall)
    call.exception === nothing || throw(call.exception)
    status == 0 && return nothing
    throw(VoxlaneError(status, last_error()))
end

# --- Steepest neighbour -------------------------------------------------------------------------------------------

"""
    steepest!(labels, image; direction=:descent, minima=:reference, border=:skip, spacing=1, weights=nothing,
              mask=nothing, slope=nothing, planes=nothing, isa=:auto, threads=0, progress=nothing) -> labels

Label every voxel with the index of its steepest neighbour.

- `image`: 3-D, of integers of 8, 16 or 32 bits, `Float32` or `Float64`. `labels`: `UInt8` or `Float32`, the same size.
- `direction`: `:descent` or `:ascent`.
- `minima`: `:flat` gives label 13 where no neighbour is better, so that labels can be followed; `:strict` where every
  neighbour is worse; `:reference` is the rule of `create_label`.
- `border`: `:skip`, `:inside` or `:periodic`, or three of them. `spacing`: a number, or three.
- `weights`: 27 numbers in place of 1 / distance, in the order of the labels, such as a `3×3×3` array.
- `mask`: `Bool` or `UInt8`, the same size (an `Array{Bool}`, not a `BitArray`); `false` removes the voxel.
- `slope`: `Float32` or `Float64`, the same size; receives the largest score.
- `planes`: range of the third index to compute. Nothing else is written, but neighbours outside of it are read: a slab
  with a plane of halo on either side has the labels of the whole volume.
- `threads`: 0 is the environment variable VOXLANE_THREADS or all processors, 1 the calling thread.
- `progress`: called with the fraction done; if it answers `true`, the call is cancelled with a `VoxlaneError`, and if
  it throws, the exception arrives here.
"""
function steepest!(
    labels::StridedArray{<:Union{UInt8,Float32},3},
    image::StridedArray{<:Element,3};
    direction::Symbol=:descent,
    minima::Symbol=:reference,
    border=:skip,
    spacing=1,
    weights=nothing,
    mask::Union{Nothing,StridedArray{Bool,3},StridedArray{UInt8,3}}=nothing,
    slope::Union{Nothing,StridedArray{<:Real32or64,3}}=nothing,
    planes::Union{Nothing,UnitRange{<:Integer}}=nothing,
    isa::Symbol=:auto,
    threads::Integer=0,
    progress=nothing,
)
    weight_values = weights === nothing ? Float64[] : collect(Float64, vec(collect(weights)))
    weights === nothing || length(weight_values) == 27 ||
        throw(ArgumentError("weights has $(length(weight_values)) values, not 27"))
    planes === nothing || (!isempty(planes) && first(planes) >= 1 && last(planes) <= size(image, 3)) ||
        throw(ArgumentError("planes $planes is no range within $(size(image, 3)) planes"))
    # From first and last, counted from 1, to a half-open range counted from 0.
    range = planes === nothing ? (0, 0) : (first(planes) - 1, last(planes))
    call = ProgressCall(progress, nothing)
    GC.@preserve labels image mask slope weight_values call begin
        mask_array = Ref(mask === nothing ? CArray(C_NULL, (0, 0, 0), (0, 0, 0), 0) : describe(mask))
        slope_array = Ref(slope === nothing ? CArray(C_NULL, (0, 0, 0), (0, 0, 0), 0) : describe(slope))
        GC.@preserve mask_array slope_array begin
            options = CSteepestOptions(
                sizeof(CSteepestOptions),
                choice(direction, "direction", DIRECTIONS),
                choice(minima, "minima", MINIMA),
                map(each -> choice(each, "border", BORDERS), turned(border, "border")),
                choice(isa, "isa", ISAS),
                threads,
                0,
                refused_if_zero(map(Float64, turned(spacing, "spacing"))),
                weights === nothing ? Ptr{Float64}(C_NULL) : pointer(weight_values),
                mask === nothing ? Ptr{CArray}(C_NULL) : Base.unsafe_convert(Ptr{CArray}, mask_array),
                slope === nothing ? Ptr{CArray}(C_NULL) : Base.unsafe_convert(Ptr{CArray}, slope_array),
                range,
                progress_function(),
                pointer_from_objref(call),
            )
            status = ccall(
                symbol(:voxlane_steepest),
                Int32,
                (Ref{CArray}, Ref{CArray}, Ref{CSteepestOptions}),
                describe(image),
                describe(labels),
                options,
            )
        end
    end
    finish(status, call)
    return labels
end

"""
    steepest(image; options...) -> labels

As `steepest!`, with a new array of `UInt8`.
"""
steepest(image::StridedArray{<:Element,3}; options...) = steepest!(zeros(UInt8, size(image)), image; options...)

"""
    create_label(image) -> labels

The labels of the NumPy code that this library began with, as `Float32`, for an image converted to `Float32`.
"""
create_label(image::AbstractArray{<:Real,3}) = steepest!(zeros(Float32, size(image)), convert(Array{Float32,3}, image))

"Offset `(dx, dy, dz)` from a voxel to the one its label leads to; `(0, 0, 0)` for a masked voxel's."
function label_offset(label::Integer)
    0 <= label < 27 || return (0, 0, 0)
    index = Int(label) # UInt8(0) - 1 would be 2^64 - 1
    return (index % 3 - 1, index ÷ 3 % 3 - 1, index ÷ 9 - 1)
end

# --- Sum of Gaussians ---------------------------------------------------------------------------------------------

"Sigmas as a table of one or three rows and one or n columns."
sigma_table(sigma::Real, ::Type{T}) where {T} = fill(T(sigma), 1, 1)
sigma_table(sigma::NTuple{3,Real}, ::Type{T}) where {T} = reshape(collect(T, sigma), 3, 1)
sigma_table(sigma::StridedArray{T,2}, ::Type{T}) where {T} = sigma
sigma_table(sigma, ::Type{T}) where {T} =
    throw(ArgumentError("sigma is a $(typeof(sigma)), not a number, a tuple of three, or a $T table of 1×n or 3×n"))

"""
    sum_gaussians!(grid, centers, sigma; amplitudes=nothing, origin=0, spacing=1, normalization=:peak, support=:box,
                   sampling=:point, periodic=false, eps=1e-6, accumulate=false, isa=:auto, threads=0,
                   progress=nothing) -> grid

Sum Gaussians on a regular grid: `grid[i, j, k]` lies at `origin .+ (i-1, j-1, k-1) .* spacing`.

- `grid`: 3-D, `Float32` or `Float64`.
- `centers`: `3×n`, `Float32` or `Float64`; coordinates along the first, second, third index.
- `sigma`: a number, three numbers for the indices, or a table of the centres' type, `1×n` for the centres, `3×n` for both.
- `amplitudes`: `n` numbers of the centres' type; 1 without.
- `normalization`: `:peak`, `:reference`, `:integral` or `:mass`. `support`: `:box` or `:ball`. `sampling`: `:point` or
  `:voxel`.
- `periodic`: whether an index wraps around; one answer or three.
- `eps`: what is cut off is below eps of a Gaussian's peak; 0 is the machine epsilon of the grid's type.
- `accumulate`: add to what the grid holds.
- `threads`, `progress`: as for `steepest!`.
"""
function sum_gaussians!(
    grid::StridedArray{<:Real32or64,3},
    centers::StridedArray{T,2},
    sigma;
    amplitudes::Union{Nothing,StridedArray{T,1}}=nothing,
    origin=0,
    spacing=1,
    normalization::Symbol=:peak,
    support::Symbol=:box,
    sampling::Symbol=:point,
    periodic=false,
    eps::Real=1e-6,
    accumulate::Bool=false,
    isa::Symbol=:auto,
    threads::Integer=0,
    progress=nothing,
) where {T<:Real32or64}
    size(centers, 1) == 3 || throw(DimensionMismatch("centers has size $(size(centers)), not 3×n"))
    count = size(centers, 2)
    sigmas = sigma_table(sigma, T)
    size(sigmas, 1) in (1, 3) && size(sigmas, 2) in (1, count) ||
        throw(DimensionMismatch("sigma has size $(size(sigmas)), not 1×1, 1×$count, 3×1 or 3×$count"))
    amplitudes === nothing || length(amplitudes) == count ||
        throw(DimensionMismatch("$(length(amplitudes)) amplitudes for $count centres"))
    call = ProgressCall(progress, nothing)
    GC.@preserve grid centers sigmas amplitudes call begin
        # C's first axis is Julia's last index: begin at the third coordinate and go back.
        coordinate, center = strides(centers)
        along_index, along_center = strides(sigmas)
        three = size(sigmas, 1) == 3
        gaussians = CGaussians(
            count,
            element_type(T),
            0,
            count == 0 ? C_NULL : Ptr{Cvoid}(pointer(centers) + 2 * coordinate * sizeof(T)),
            (center, -coordinate),
            amplitudes === nothing || count == 0 ? C_NULL : Ptr{Cvoid}(pointer(amplitudes)),
            amplitudes === nothing ? 0 : stride(amplitudes, 1),
            isempty(sigmas) ? C_NULL : Ptr{Cvoid}(pointer(sigmas) + (three ? 2 * along_index * sizeof(T) : 0)),
            (size(sigmas, 2) == 1 ? 0 : along_center, three ? -along_index : 0),
        )
        options = CGaussianOptions(
            sizeof(CGaussianOptions),
            choice(normalization, "normalization", NORMALIZATIONS),
            choice(support, "support", SUPPORTS),
            choice(sampling, "sampling", SAMPLINGS),
            map(Int32, turned(periodic, "periodic")),
            accumulate,
            choice(isa, "isa", ISAS),
            threads,
            0,
            eps,
            progress_function(),
            pointer_from_objref(call),
        )
        target = CGrid(describe(grid), map(Float64, turned(origin, "origin")), map(Float64, turned(spacing, "spacing")))
        status = ccall(
            symbol(:voxlane_sum_gaussians),
            Int32,
            (Ref{CGaussians}, Ref{CGrid}, Ref{CGaussianOptions}),
            gaussians,
            target,
            options,
        )
    end
    finish(status, call)
    return grid
end

"""
    sum_gaussians(centers, sigma, size; options...) -> grid

As `sum_gaussians!`, with a new array of `Float32`.
"""
sum_gaussians(centers, sigma, size::NTuple{3,Integer}; options...) =
    sum_gaussians!(zeros(Float32, size), centers, sigma; options...)

end # module
