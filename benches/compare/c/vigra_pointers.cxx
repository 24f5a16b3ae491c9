// vigra's preparation of its watersheds: the index of the lowest of 26 neighbours, unweighted; 65535 where none
// is lower.

#include <cstdint>
#include <iostream> // vigra 1.11 uses std::cerr without it

#include <vigra/multi_array.hxx>
#include <vigra/multi_gridgraph.hxx>
#include <vigra/multi_watersheds.hxx>

using Graph = vigra::GridGraph<3, vigra::boost_graph::undirected_tag>;

// shape is in the order of NumPy's axes, vigra's is the reverse.
extern "C" void vigra_pointers(const float *image, const std::int64_t shape[3], std::uint16_t *pointers) {
    const vigra::Shape3 reversed(shape[2], shape[1], shape[0]);
    const vigra::MultiArrayView<3, float> data(reversed, const_cast<float *>(image));
    vigra::MultiArrayView<3, vigra::UInt16> index(reversed, pointers);
    const Graph graph(reversed, vigra::IndirectNeighborhood);
    vigra::lemon_graph::graph_detail::prepareWatersheds(graph, data, index);
}

// The offsets along NumPy's axes that the 26 indices stand for.
extern "C" void vigra_offsets(std::int64_t offsets[78]) {
    const Graph graph(vigra::Shape3(3, 3, 3), vigra::IndirectNeighborhood);
    for (int i = 0; i < 26; i++)
        for (int axis = 0; axis < 3; axis++)
            offsets[3 * i + axis] = graph.neighborOffset(i)[2 - axis];
}
