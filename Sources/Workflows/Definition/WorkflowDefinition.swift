import JSON

/// A workflow that was checked: what a saga of it does, step by step. It never changes once it is registered.
public struct WorkflowDefinition: Sendable {
  public let name: String
  public let version: Int
  public let description: String?
  public let owner: String?
  /// How long a saga may take before it turns back.
  public let timeout: Duration
  /// A JSON Schema for the input; kept and shown.
  public let inputSchema: JSON?
  /// In file order.
  public let steps: [Step]
  public let output: Template?
  /// The whole file as it was read.
  public let source: JSON
  /// Who depends on whom, by the steps' indexes.
  public let graph: StepGraph

  /// The indexes of the points of no return.
  public let pivots: [Int]
  /// The indexes of all steps.
  public let allSteps: StepSet

  private let indexes: [String: Int]

  /// The timeout of a saga whose workflow names none.
  public static let defaultTimeout: Duration = .seconds(300)

  /// - Parameters:
  ///   - name: its name.
  ///   - version: from 1.
  ///   - description: what it is for, in a sentence.
  ///   - owner: who answers for it.
  ///   - timeout: of the whole saga.
  ///   - inputSchema: JSON Schema of the input, kept and shown.
  ///   - steps: with unique ids, without cycles, each at its own index, as the checker makes sure.
  ///   - output: what a completed saga gives.
  ///   - source: the whole file as it was read.
  public init(
    name: String, version: Int, description: String? = nil, owner: String? = nil,
    timeout: Duration = WorkflowDefinition.defaultTimeout, inputSchema: JSON? = nil, steps: [Step],
    output: Template? = nil, source: JSON
  ) {
    self.name = name
    self.version = version
    self.description = description
    self.owner = owner
    self.timeout = timeout
    self.inputSchema = inputSchema
    self.steps = steps
    self.output = output
    self.source = source
    let indexes = Dictionary(steps.map { ($0.id, $0.index) }, uniquingKeysWith: { first, _ in first })
    self.indexes = indexes
    pivots = steps.filter(\.pivot).map(\.index)
    allSteps = StepSet(all: steps.count)
    self.graph = StepGraph(dependencies: steps.map { $0.dependsOn.compactMap { indexes[$0] } })
  }

  public func step(_ id: String) -> Step? { index(of: id).map { steps[$0] } }
  public func index(of id: String) -> Int? { indexes[id] }

  /// For each step, the indexes of the steps that it directly depends on.
  public var dependencies: [[Int]] { graph.dependencies }
  /// For each step, the indexes of the steps that directly depend on it.
  public var dependents: [[Int]] { graph.dependents }
  /// For each step, every step that comes before it, however far.
  public var ancestors: [StepSet] { graph.ancestors }
  /// For each step, every step that comes after it, however far.
  public var transitiveDependents: [StepSet] { graph.descendants }
}

extension WorkflowDefinition: Hashable {
  /// A definition follows from its file and nothing else, so equal files are equal definitions.
  public static func == (left: WorkflowDefinition, right: WorkflowDefinition) -> Bool {
    left.source == right.source && left.steps == right.steps
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}
