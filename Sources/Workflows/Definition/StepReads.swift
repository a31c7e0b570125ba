import JSON

/// The steps that expressions may read from a saga's document. A workflow with many steps has a large document, and the
/// parts that no expression reads are not built.
public struct StepReads: Sendable, Hashable {
  /// The ids of the steps; nil means all steps.
  public let steps: Set<String>?
  /// True when a step's `uuid` may be read. Each one costs a digest.
  public let uuids: Bool

  public static let all = StepReads(steps: nil, uuids: true)
  public static let none = StepReads(steps: [], uuids: false)

  private init(steps: Set<String>?, uuids: Bool) {
    self.steps = steps
    self.uuids = uuids
  }

  /// Collects the steps that these queries read: all steps, unless each query names its step.
  public init(_ queries: [ReferencedQuery]) {
    var steps: Set<String> = []
    var uuids = false
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
      if query.leadingTokens.count > 2, case .name(let member) = query.leadingTokens[2], member != "uuid" { continue }
      uuids = true
    }
    self.init(steps: steps, uuids: uuids)
  }

}

extension JSONPathCondition {
  public var reads: StepReads { StepReads(referencedQueries) }
}

extension TextTemplate {
  public var reads: StepReads { StepReads(referencedQueries) }
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
    case .signal(let signal): signal.accept?.reads ?? .none
    case .delay(.until(let template)): template.reads
    case .delay(.for), .group: .none
    case .fail(let fail): fail.message?.reads ?? .none
    }
  }
}
