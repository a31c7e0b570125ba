import JSON

/// A checked workflow: the steps of its sagas. A registered workflow never changes.
public struct WorkflowDefinition: Sendable {
  public let name: String
  /// A released version is a number from 1. A draft is a number below zero: -3 is draft 3.
  public private(set) var version: Int
  public let description: String?
  public let owner: String?
  /// What people see first of a saga. It is rendered once, when the saga starts, and so are the labels.
  public let title: TextTemplate?
  /// What people find a saga by: at most `Label.most`.
  public let labels: [NamedText]
  /// The time that a saga may take before it starts compensation.
  public let timeout: Duration
  /// The turn that a saga takes before its first step, and holds until its end; nil when sagas wait for no other saga.
  public let concurrency: Concurrency?
  /// The schema of the input. A start whose input doesn't meet it is refused.
  public let inputSchema: WorkflowSchema?
  /// The steps in file order.
  public let steps: [Step]
  public let output: Template?
  /// What must be true of every end of a saga. `saga check --explore` tries it; the engine does not enforce it.
  public let invariants: [Invariant]
  /// The whole file as it was read.
  public let source: JSON
  /// The order of the steps, by their indexes. A group comes after its members.
  public let graph: StepGraph
  /// The indexes of the steps that must be over before each step starts. For a group: before its members start.
  public let dependencies: [[Int]]
  /// The index of the group of each step; nil for a step of the workflow itself.
  public let groups: [Int?]
  /// The indexes of the members of each group, without those of groups inside it; empty for every other step.
  public let members: [[Int]]

  /// The indexes of the pivots.
  public let pivots: [Int]
  /// The indexes of all steps.
  public let allSteps: StepSet

  private let indexes: [String: Int]

  /// The timeout of a saga when its workflow sets none.
  public static let defaultTimeout: Duration = .seconds(300)

  /// - Parameters:
  ///   - name: the name of the workflow.
  ///   - version: the version, from 1.
  ///   - description: the purpose in one sentence.
  ///   - owner: the team or person that is responsible.
  ///   - title: what people see first of a saga.
  ///   - labels: what people find a saga by.
  ///   - timeout: the timeout of the whole saga.
  ///   - concurrency: the turn that a saga holds from its start to its end.
  ///   - inputSchema: the schema of the input.
  ///   - steps: steps with unique ids and without cycles, each at its own index. The checker ensures this.
  ///   - output: the output of a completed saga.
  ///   - invariants: what must be true of every end of a saga.
  ///   - source: the whole file as it was read.
  public init(
    name: String, version: Int, description: String? = nil, owner: String? = nil,
    title: TextTemplate? = nil, labels: [NamedText] = [], timeout: Duration = WorkflowDefinition.defaultTimeout,
    concurrency: Concurrency? = nil, inputSchema: WorkflowSchema? = nil, steps: [Step], output: Template? = nil,
    invariants: [Invariant] = [],
    source: JSON
  ) {
    self.name = name
    self.version = version
    self.description = description
    self.owner = owner
    self.title = title
    self.labels = labels
    self.timeout = timeout
    self.concurrency = concurrency
    self.inputSchema = inputSchema
    self.steps = steps
    self.output = output
    self.invariants = invariants
    self.source = source
    let indexes = Dictionary(steps.map { ($0.id, $0.index) }, uniquingKeysWith: { first, _ in first })
    self.indexes = indexes
    pivots = steps.filter(\.pivot).map(\.index)
    allSteps = StepSet(all: steps.count)
    let dependencies = steps.map { $0.dependsOn.compactMap { indexes[$0] } }
    let members = steps.map { $0.members.compactMap { indexes[$0] } }
    self.dependencies = dependencies
    self.members = members
    groups = steps.map { $0.group.flatMap { indexes[$0] } }
    graph = StepGraph(dependencies: zip(dependencies, members).map { $0 + $1 })
  }

  /// Returns the definition as a draft. `source` keeps the version of the file.
  /// - Parameter number: from 1.
  public func asDraft(_ number: Int) -> WorkflowDefinition {
    var draft = self
    draft.version = -number
    return draft
  }

  public func step(_ id: String) -> Step? { index(of: id).map { steps[$0] } }
  public func index(of id: String) -> Int? { indexes[id] }

  /// The indexes of the direct dependents of each step.
  public var dependents: [[Int]] { graph.dependents }
  /// All steps that come before the end of each step, direct or not. The members of a group are among its own.
  public var ancestors: [StepSet] { graph.ancestors }
  /// All steps that come after each step, direct or not.
  public var transitiveDependents: [StepSet] { graph.descendants }
}

extension WorkflowDefinition: Hashable {
  /// A definition depends only on its file, so equal files are equal definitions.
  public static func == (left: WorkflowDefinition, right: WorkflowDefinition) -> Bool {
    left.source == right.source && left.steps == right.steps
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}
