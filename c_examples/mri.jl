# Local minima of a magnetic resonance image: where they are, how far they reach, how dense they lie.
#
#     julia mri.jl FILE [THREADS]
#
# The same as mri.py, but for the picture: FILE is a NIfTI image, such as nibabel's example4d.nii.gz. What is printed
# equals what mri.py prints. Exit status: 0 done, 1 the result is not as expected, 2 bad input, 3 the run failed.

include(joinpath(@__DIR__, "..", "include", "Voxlane.jl"))
using .Voxlane
using Printf

const HEAD = 200  # intensity above which a voxel is not air
const WIDTH = 6.0 # millimetres, of the density's Gaussians

struct BadInput <: Exception
    text::String
end

"The first volume of a NIfTI-1 image of 16-bit integers, indices x, y, z, and the voxel size along them."
function read_image(path)
    isfile(path) || throw(BadInput("$path: no such file"))
    bytes = endswith(path, ".gz") ? read(`gzip -dc $path`) : read(path)
    length(bytes) >= 352 || throw(BadInput("$path: too short for a NIfTI image"))
    at(T, offset) = ltoh(only(reinterpret(T, bytes[offset+1:offset+sizeof(T)])))
    at(Int32, 0) == 348 || throw(BadInput("$path: not a little-endian NIfTI-1 image"))
    at(Int16, 70) == 4 || throw(BadInput("$path: data type $(at(Int16, 70)), not 4, 16-bit integers"))
    size = ntuple(i -> Int(at(Int16, 40 + 2i)), 3)
    spacing = ntuple(i -> Float64(at(Float32, 76 + 4i)), 3)
    start = Int(at(Float32, 108))
    count = prod(size)
    length(bytes) >= start + 2count || throw(BadInput("$path: the file ends before the first volume does"))
    values = ltoh.(reinterpret(Int16, bytes[start+1:start+2count]))
    return reshape(values, size), spacing
end

"For each voxel the index of the voxel where its way ends."
function basins(labels)
    places = LinearIndices(labels)
    target = [label < 27 ? places[place+CartesianIndex(label_offset(label))] : places[place]
              for (place, label) in pairs(IndexCartesian(), labels)]
    while true
        # Each round doubles the steps taken.
        further = target[target]
        further == target && return target
        target = further
    end
end

function run(path, threads)
    image, spacing = read_image(path)
    head = Array{Bool}(image .> HEAD)
    # [readme-begin]
    labels = steepest(image; minima=:flat, border=:inside, spacing, mask=head, threads)
    minima = findall(==(Voxlane.CENTER), labels)
    centers = [(minimum[index] - 1) * spacing[index] for index in 1:3, minimum in minima]
    density = zeros(Float64, size(image))
    sum_gaussians!(density, centers, WIDTH; spacing, normalization=:integral, threads)
    # [readme-end]
    ends = basins(labels)
    voxels = zeros(Int, length(labels))
    foreach(place -> voxels[place] += 1, ends)
    volume = [voxels[LinearIndices(labels)[minimum]] * prod(spacing) for minimum in minima]
    radius = cbrt.(3 .* volume ./ (4pi))
    localisations = zeros(Float64, size(image))
    sum_gaussians!(localisations, centers, reshape(radius, 1, :); spacing, normalization=:integral, threads)

    integral = sum(density) * prod(spacing)
    println("voxlane: ", Voxlane.version())
    println("tier: ", Voxlane.active_isa())
    println("grid_zyx: ", join(reverse(size(image)), " "))
    @printf("spacing_zyx: %.3g %.3g %.3g\n", reverse(spacing)...)
    println("voxels_of_head: ", count(head))
    println("local_minima: ", length(minima))
    @printf("mean_basin: %.3f\n", sum(volume) / length(volume))
    @printf("largest_basin: %.3f\n", maximum(volume))
    @printf("density_integral: %.3f\n", integral)
    @printf("densest: %.6e\n", maximum(density))
    @printf("localisations_integral: %.3f\n", sum(localisations) * prod(spacing))

    arrived = count(place -> labels[place] == Voxlane.CENTER, ends)
    if arrived != count(head)
        println(stderr, "mri.jl: $arrived of $(count(head)) voxels arrive at a minimum")
        return 1
    end
    # What lies outside the grid is lost, and nothing is gained.
    if !(0.8 * length(minima) < integral < 1.0001 * length(minima))
        println(stderr, "mri.jl: the density's integral is not the number of minima")
        return 1
    end
    return 0
end

function main(arguments)
    threads = length(arguments) == 2 ? tryparse(Int, arguments[2]) : 0
    if !(length(arguments) in (1, 2)) || threads === nothing || threads < 0
        println(stderr, "mri.jl: expected a NIfTI file, and the number of threads or nothing")
        return 2
    end
    try
        return run(arguments[1], threads)
    catch error
        error isa BadInput && (println(stderr, "mri.jl: ", error.text); return 2)
        error isa VoxlaneError && (println(stderr, "mri.jl: ", error.text); return 3)
        rethrow()
    end
end

exit(main(ARGS))
