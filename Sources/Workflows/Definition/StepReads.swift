import JSON

/// The steps that expressions may read from a saga's document. A workflow with many steps has a large document, and the
/// parts that no expression reads are not built.
public struct StepReads: Sendable, Hashable {
  /// The ids of the steps; nil means all steps.
  public let steps: Set<String>?
  /// True when a step's `uuid` may be read. Each one costs a digest.
  public let uuids: Bool
  /// True when a step's `items` may be read. They may be many.
  public let items: Bool

  public static let all = StepReads(steps: nil, uuids: true, items: true)
  public static let none = StepReads(steps: [], uuids: false, items: false)

  private init(steps: Set<String>?, uuids: Bool, items: Bool) {
    self.steps = steps
    self.uuids = uuids
    self.items = items
  }

  /// Collects the steps that these queries read: all steps, unless each query names its step.
  public init(_ queries: [ReferencedQuery]) {
    var steps: Set<String> = []
    var (uuids, items) = (false, false)
    for query in queries {
      guard case .name(let root)? = query.leadingTokens.first else {
        self = .all
        return
      }
      guard root == "steps" else { continue }
      guard query.leadingTokens.count > 1, case .name(let step) = query.leadingTokens[1] else {
        self = .all
        return
      }
      steps.insert(step)
      var member: String?
      if query.leadingTokens.count > 2, case .name(let name) = query.leadingTokens[2] { member = name }
      uuids = uuids || member ?? "uuid" == "uuid"
      items = items || member ?? "items" == "items"
    }
    self.init(steps: steps, uuids: uuids, items: items)
  }
}

extension JSONPathCondition {
  public var reads: StepReads { StepReads(referencedQueries) }
}

extension TextTemplate {
  public var reads: StepReads { StepReads(referencedQueries) }
}

extension ForEach {
  /// The steps that the items and their keys read.
  public var reads: StepReads {
    StepReads(items.referencedQueries + (key?.referencedQueries ?? []).filter { !isItem($0) })
  }

  private func isItem(_ query: ReferencedQuery) -> Bool {
    query.leadingTokens.first == .name(name) || query.leadingTokens.first == .name(Self.indexName)
  }
}

extension Action {
  public var reads: StepReads {
    switch self {
    case .http(let http):
      StepReads(
        ([http.path] + (http.headers + http.query).map(\.value)).flatMap(\.referencedQueries)
          + (http.body?.referencedQueries ?? []))
    case .kafka(let kafka):
      StepReads(
        kafka.headers.map(\.value).flatMap(\.referencedQueries) + (kafka.body?.referencedQueries ?? []))
    case .task(let task): StepReads(task.input?.referencedQueries ?? [])
    case .workflow(let workflow):
      StepReads((workflow.input?.referencedQueries ?? []) + (workflow.key?.referencedQueries ?? []))
    case .signal(let signal): signal.accept?.reads ?? .none
    case .delay(.until(let template)): template.reads
    case .delay(.for), .group: .none
    case .fail(let fail): fail.message?.reads ?? .none
    }
  }
}
