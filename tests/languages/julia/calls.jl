# What Voxlane.jl promises.

include(joinpath(@__DIR__, "..", "..", "..", "include", "Voxlane.jl"))
using .Voxlane
using Test

# Whole numbers below 251, no two neighbours equal.
pattern(T, size) = T[(37x + 61y + 17z + 5x * y * z) % 127 for x in 1:size[1], y in 1:size[2], z in 1:size[3]]

"The rule as written down: flat minima, all borders inside, everything in the order of Julia's indices."
function expected(image, spacing=(1, 1, 1))
    labels = fill(UInt8(13), size(image))
    for place in CartesianIndices(image)
        best = 0.0
        for dz in -1:1, dy in -1:1, dx in -1:1
            there = place + CartesianIndex(dx, dy, dz)
            checkbounds(Bool, image, there) && (dx, dy, dz) != (0, 0, 0) || continue
            distance = sqrt((dz * spacing[3])^2 + (dy * spacing[2])^2 + (dx * spacing[1])^2)
            score = (Float64(image[place]) - Float64(image[there])) * (1 / distance)
            if score > best
                best = score
                labels[place] = 9 * (dz + 1) + 3 * (dy + 1) + (dx + 1)
            end
        end
    end
    return labels
end

const INSIDE = (minima=:flat, border=:inside)
const SPACING = (0.5, 1.0, 2.5)

@testset "labels" begin
    for T in (UInt8, Int8, UInt16, Int16, UInt32, Int32, Float32, Float64)
        image = pattern(T, (41, 6, 5))
        @test steepest(image; INSIDE...) == expected(image)
    end
    image = pattern(Float64, (7, 6, 5))
    @test steepest(image; INSIDE..., spacing=SPACING) == expected(image, SPACING)
    @test steepest(image; INSIDE..., spacing=2) == expected(image)
    @test steepest(-image; INSIDE..., direction=:ascent) == steepest(image; INSIDE...)
    # Labels lead to the voxel that they say.
    @test label_offset(UInt8(14)) == (1, 0, 0) && label_offset(4) == (0, 0, -1) && label_offset(27) == (0, 0, 0)
    labels = steepest(image; INSIDE...)
    for place in CartesianIndices(labels)
        labels[place] == Voxlane.CENTER && continue
        @test image[place+CartesianIndex(label_offset(labels[place]))] < image[place]
    end
    # The skipped border is the first index's, the planes are those of the third.
    labels = fill(0x63, size(image))
    @test steepest!(labels, image; minima=:flat, border=(:skip, :inside, :inside), planes=2:3, threads=1) === labels
    @test all(labels[[1, 7], :, 2:3] .== 0) && all(labels[:, :, [1, 4, 5]] .== 99) && all(labels[:, :, 2:3] .!= 99)
    @test steepest(circshift(image, (2, 3, 1)); border=:periodic) == circshift(steepest(image; border=:periodic), (2, 3, 1))
    weights = zeros(3, 3, 3)
    weights[3, 2, 2] = 1
    labels = steepest(image; minima=:flat, weights)
    @test labels[3, 3, 3] == (image[3, 3, 3] > image[4, 3, 3] ? 14 : 13)
    @test create_label(pattern(Int, (7, 6, 5))) isa Array{Float32,3}
    @test create_label(image) == steepest(Float32.(image))
end

@testset "views are used where they lie" begin
    image = pattern(Float32, (14, 12, 10))
    views = [
        view(image, 14:-1:1, 1:2:12, 3:10),
        view(image, 2:3:14, :, 10:-2:1),
        view(image, 4:4, :, :),
        PermutedDimsArray(image, (1, 2, 3)) |> collect,
        reshape(view(image, :, :, 1:6), 14, 6, 12),
        reinterpret(Float32, pattern(UInt32, (9, 8, 7))),
    ]
    for each in views
        stored = fill(0x63, 2 .* size(each))
        labels = view(stored, 2size(each, 1):-2:1, 1:2:2size(each, 2), 2:2:2size(each, 3))
        @test steepest!(labels, each; INSIDE...) === labels
        @test labels == expected(each)
        @test count(==(0x63), stored) == length(stored) - length(labels)
    end
    # Without a copy: what is allocated does not grow with the image.
    few, many = zeros(Float32, 8, 8, 8), zeros(Float32, 80, 80, 80)
    few_labels, many_labels = zeros(UInt8, size(few)), zeros(UInt8, size(many))
    run(labels, image) = @allocated steepest!(labels, view(image, size(image, 1):-1:1, :, :); INSIDE...)
    run(few_labels, few)
    run(many_labels, many)
    @test run(many_labels, many) < run(few_labels, few) + 1000
end

@testset "mask and slope" begin
    image = pattern(Float32, (9, 8, 7))
    mask = fill(true, size(image))
    mask[2, 3, 4] = false
    slope = zeros(Float64, 7, 8, 9)
    turned = PermutedDimsArray(slope, (3, 2, 1))
    @test_throws TypeError steepest(image; slope=turned) # not strided in Julia's sense
    slope = zeros(Float64, size(image))
    labels = steepest(image; INSIDE..., mask, slope, direction=:ascent)
    @test findall(==(Voxlane.MASKED), labels) == [CartesianIndex(2, 3, 4)] && slope[2, 3, 4] == 0
    @test all((slope .> 0) .== (labels .!= 13) .& (labels .!= 27))
    @test labels == steepest(image; INSIDE..., mask=UInt8.(mask), direction=:ascent)
end

gauss(r, center, sigma) = exp(-sum(((r .- center) ./ sigma) .^ 2) / 2)

@testset "sums" begin
    origin, spacing, widths = (1.0, -2.0, 3.0), (0.5, 0.75, 0.25), (0.9, 0.7, 0.4)
    centers = [2.0 3.9; -1.0 1.0; 3.5 3.2]
    each = hcat(collect(widths), 2 .* collect(widths))
    at(place) = origin .+ (Tuple(place) .- 1) .* spacing
    grid = zeros(7, 6, 5)
    exact = [2gauss(at(place), Tuple(centers[:, 1]), widths) - 3gauss(at(place), Tuple(centers[:, 2]), 2 .* widths)
             for place in CartesianIndices(grid)]
    amplitudes = [2.0, -3.0]
    lattice = (origin=origin, spacing=spacing)
    @test sum_gaussians!(grid, centers, each; lattice..., amplitudes, eps=0) === grid
    @test maximum(abs, grid - exact) < 1e-12
    stored = fill(1e30, 4, 6)
    spread = view(stored, 4:-1:2, 6:-3:1)
    spread .= centers
    sum_gaussians!(grid, spread, each; lattice..., amplitudes=view([2.0, 7.0, -3.0], 1:2:3), eps=0, accumulate=true)
    @test maximum(abs, grid - 2exact) < 1e-12
    # One sigma an index, a centre, for all; in either precision.
    for sigma in (widths, 0.5, reshape([0.5, 0.6], 1, 2), reshape(collect(widths), 3, 1))
        table = sigma isa Tuple ? collect(sigma) : sigma
        both = zeros(3, 2) .+ table
        sum_gaussians!(grid, centers, sigma; lattice...)
        exact = sum_gaussians!(zeros(7, 6, 5), centers, both; lattice...)
        @test maximum(abs, grid - exact) < 1e-14
        single = sum_gaussians(Float32.(centers), sigma isa AbstractArray ? Float32.(sigma) : sigma, (7, 6, 5); lattice...)
        @test single isa Array{Float32,3} && maximum(abs, single - grid) < 1e-4
    end
    # Periodic along the first index only.
    options = (normalization=:mass, support=:ball, periodic=(true, false, false))
    @test abs(sum(sum_gaussians!(grid, reshape([0.0, 3.0, 2.0], 3, 1), 0.4; options...)) - 1) < 1e-12
    @test sum(sum_gaussians!(grid, reshape([3.0, 0.0, 2.0], 3, 1), 0.4; options...)) < 0.999
    voxel = sum_gaussians!(zeros(15, 15, 15), reshape([7.0, 7, 7], 3, 1), 0.8; sampling=:voxel, normalization=:integral, eps=1e-12)
    @test abs(sum(voxel) - 1) < 1e-9
    @test all(sum_gaussians(zeros(3, 0), 1.0, (4, 4, 4)) .== 0)
end

function caught(run)
    try
        run()
    catch error
        return error
    end
    return nothing
end

@testset "errors" begin
    image = pattern(Float32, (4, 5, 6))
    labels = fill(0x63, 4, 5, 5)
    error = caught(() -> steepest!(labels, image))
    @test error isa VoxlaneError && error.status == -2
    @test occursin("labels: shape [5, 5, 4]", sprint(showerror, error))
    @test all(labels .== 99)
    @test caught(() -> steepest(image; spacing=(1, -1, 1))).status == -8
    @test caught(() -> steepest(image; spacing=0)).status == -8
    @test caught(() -> steepest(zeros(Float32, 3, 0, 3))).status == -2
    @test caught(() -> steepest(image; mask=fill(true, 4, 5, 5))).status == -2
    @test caught(() -> steepest(image; threads=-1)).status == -7
    @test_throws ArgumentError steepest(image; minima=:lowest)
    @test_throws ArgumentError steepest(image; border=(:skip, :skip))
    @test_throws ArgumentError steepest(image; weights=ones(26))
    @test_throws ArgumentError steepest(image; planes=3:7)
    @test_throws ArgumentError steepest(image; planes=3:2)
    @test_throws MethodError steepest(pattern(Int64, (3, 3, 3)))
    @test_throws DimensionMismatch sum_gaussians(zeros(2, 3), 1.0, (4, 4, 4))
    @test_throws DimensionMismatch sum_gaussians(zeros(3, 3), ones(2, 3), (4, 4, 4))
    @test_throws DimensionMismatch sum_gaussians(zeros(3, 3), 1.0, (4, 4, 4); amplitudes=ones(2))
    @test_throws ArgumentError sum_gaussians(zeros(3, 3), ones(3), (4, 4, 4))
    bad = caught(() -> sum_gaussians([1.0 1.0; 1.0 NaN; 1.0 1.0], 1.0, (4, 4, 4)))
    @test bad.status == -8 && occursin("NaN", bad.text)
    @test caught(() -> sum_gaussians(zeros(3, 3), -1.0, (4, 4, 4))).status == -8
end

@testset "progress" begin
    image = pattern(Float32, (60, 50, 40))
    seen = Float64[]
    steepest(image; progress=fraction -> push!(seen, fraction))
    @test first(seen) == 0 && last(seen) == 1 && issorted(seen)
    @test caught(() -> steepest(image; progress=_ -> true)).status == -12
    @test caught(() -> steepest(image; progress=_ -> Base.error("mine"))) == ErrorException("mine")
    # Memory is collected inside a callback; what the library writes to must stay.
    @test steepest(image; INSIDE..., progress=_ -> (GC.gc(); nothing)) == steepest(image; INSIDE...)
    centers = rand(3, 2000) .* 40
    sigmas = fill(2.0, 1, 2000)
    collected = sum_gaussians(centers, sigmas, (40, 40, 40); progress=_ -> (GC.gc(); nothing))
    @test collected == sum_gaussians(centers, sigmas, (40, 40, 40))
end

@test Voxlane.version() >= v"0.1"
@test Voxlane.active_isa() in ("portable", "avx2", "avx512")
println("Voxlane.jl: all checks passed with Julia ", VERSION)
