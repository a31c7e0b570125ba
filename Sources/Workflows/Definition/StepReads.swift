import JSON

/// The steps that expressions may read of a saga's document. The document of a workflow with many steps is large; what
/// no expression reads need not be made.
public enum StepReads: Sendable, Hashable {
  case all
  case only(Set<String>)

  public static let none = StepReads.only([])

  /// What these queries read: all steps, unless each query names the step that it reads.
  public init(_ queries: [ReferencedQuery]) {
    var steps: Set<String> = []
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
    }
    self = .only(steps)
  }

  public func contains(_ step: String) -> Bool {
    switch self {
    case .all: true
    case .only(let steps): steps.contains(step)
    }
  }
}

extension JSONPathCondition {
  public var reads: StepReads { StepReads(referencedQueries) }
}

extension TextTemplate {
  public var reads: StepReads { StepReads(queries.flatMap(\.referencedQueries)) }
}

extension Action {
  public var reads: StepReads {
    switch self {
    case .http(let http):
      StepReads(
        ([http.path] + (http.headers + http.query).map(\.value)).flatMap(\.queries).flatMap(\.referencedQueries)
          + (http.body?.queries ?? []).flatMap(\.referencedQueries))
    case .kafka(let kafka):
      StepReads(
        kafka.headers.map(\.value).flatMap(\.queries).flatMap(\.referencedQueries)
          + (kafka.body?.queries ?? []).flatMap(\.referencedQueries))
    case .signal(let signal): signal.accept?.reads ?? .none
    case .delay(.until(let template)): template.reads
    case .delay(.for): .none
    }
  }
}
