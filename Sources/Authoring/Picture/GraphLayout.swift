import Values
import Workflows

/// The steps of a workflow in layers, from left to right. `console/graph.js` has the same rules, and a test compares the
/// two.
///
/// Each step has a layer by its longest path. Then a few sweeps order each layer by the places of its neighbours.
public struct GraphLayout: Sendable {
  /// An arrow from a step to a step that depends on it.
  public struct Edge: Sendable, Hashable {
    public let from: Int
    public let to: Int
    /// The nodes from `from` to `to`, with the bends between them.
    public let path: [Int]
  }

  /// The nodes of each layer, from top to bottom. A number below `stepCount` is the index of a step. Any other number is
  /// a bend: the place of an edge in a layer that it passes through.
  public private(set) var layers: [[Int]]
  public let edges: [Edge]
  public let stepCount: Int

  /// The most pieces of all edges: each edge has one piece between two layers. A workflow that needs more has thousands
  /// of long edges, and no person can follow them.
  public static let mostPieces = 50_000
  private static let sweeps = 6

  /// - Parameter dependencies: the indexes of the steps that are drawn before each step, without cycles.
  /// - Throws: `GraphTooLarge` when the edges have more pieces than `mostPieces`.
  public init(dependencies: [[Int]]) throws(GraphTooLarge) {
    stepCount = dependencies.count
    var layerOf = Array(repeating: 0, count: stepCount)
    for step in StepGraph(dependencies: dependencies).order {
      layerOf[step] = dependencies[step].reduce(0) { max($0, layerOf[$1] + 1) }
    }
    var pieces = 0
    for (step, before) in dependencies.enumerated() {
      for from in before { pieces += layerOf[step] - layerOf[from] }
    }
    guard pieces <= Self.mostPieces else { throw GraphTooLarge(pieces: pieces) }

    var layers = Array(repeating: [Int](), count: (layerOf.max() ?? -1) + 1)
    for step in dependencies.indices { layers[layerOf[step]].append(step) }
    var edges: [Edge] = []
    var next = stepCount
    for (step, before) in dependencies.enumerated() {
      for from in before {
        var path = [from]
        for layer in (layerOf[from] + 1)..<max(layerOf[from] + 1, layerOf[step]) {
          layers[layer].append(next)
          path.append(next)
          next += 1
        }
        edges.append(Edge(from: from, to: step, path: path + [step]))
      }
    }
    self.edges = edges
    self.layers = layers
    arrange(nodes: next)
  }

  /// Orders each layer by the middle of its neighbours: those before it in one sweep, those after it in the next.
  private mutating func arrange(nodes: Int) {
    var back = Array(repeating: [Int](), count: nodes)
    var forth = back
    for edge in edges {
      for (node, following) in zip(edge.path, edge.path.dropFirst()) {
        back[following].append(node)
        forth[node].append(following)
      }
    }
    var place = Array(repeating: 0.0, count: nodes)
    func settle(_ layer: [Int]) {
      for (index, node) in layer.enumerated() { place[node] = Double(index) - Double(layer.count - 1) / 2 }
    }
    layers.forEach(settle)
    for sweep in 0..<Self.sweeps {
      let links = sweep.isMultiple(of: 2) ? back : forth
      for layer in sweep.isMultiple(of: 2) ? Array(layers.indices) : layers.indices.reversed() {
        let keyed = layers[layer].enumerated().map { index, node in
          let near = links[node]
          let middle = near.isEmpty ? place[node] : near.reduce(0) { $0 + place[$1] } / Double(near.count)
          return (middle: middle, index: index, node: node)
        }
        // Nodes with the same middle keep their order.
        layers[layer] = keyed.sorted { ($0.middle, $0.index) < ($1.middle, $1.index) }.map(\.node)
        settle(layers[layer])
      }
    }
  }
}

/// A graph with too many long edges for a picture with a layout.
public struct GraphTooLarge: CodedError, Hashable {
  public let pieces: Int
  public var code: String { AuthoringErrorCode.graphTooLarge }
  public var message: String {
    "the arrows of the graph have \(pieces) pieces between two layers; a picture has at most \(GraphLayout.mostPieces)"
  }
}
