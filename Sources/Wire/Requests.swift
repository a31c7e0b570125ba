import JSON

// The bodies of requests. The server reads them strictly, with the place of every mistake: see `BodyReader` there. A test
// holds these types to the schemas of the description.

/// The body of `POST /v1/workflows/{name}/sagas`.
public struct StartSagaRequest: Sendable {
  public let input: JSON
  /// The version of the workflow, below zero for a draft; nil for the latest released one.
  public let version: Int?
  /// Whether the latest draft is to be started. Then `version` is nil.
  public let wantsDraft: Bool
  public let tags: [String]

  public init(input: JSON, version: Int? = nil, wantsDraft: Bool = false, tags: [String] = []) {
    self.input = input
    self.version = version
    self.wantsDraft = wantsDraft
    self.tags = tags
  }

  public var json: JSON {
    let version: JSON? = wantsDraft ? "draft" : .integer(version)
    return .members(["input": input, "version": version, "tags": .textsIfAny(tags)])
  }
}

/// The members of a verb, which the body of a verb on one saga and the body of an operation have in common.
public struct VerbMembers: Sendable {
  public var step: String?
  /// What the step reads instead of its input: of `retry`.
  public var input: JSON?
  /// What later steps read: of `skip` and `resolve`.
  public var output: JSON?
  /// `happened`, `didNotHappen` or `undone`: of `resolve`.
  public var outcome: String?
  /// How much later, as `2h`: of `extend`.
  public var by: String?
  /// The new time: of `extend`.
  public var until: String?
  /// The version to which the saga moves, below zero for a draft: of `migrate`.
  public var to: Int?

  public init() {}

  fileprivate var members: [(String, JSON?)] {
    [
      ("step", .text(step)), ("outcome", .text(outcome)), ("by", .text(by)), ("until", .text(until)),
      ("to", .integer(to)), ("input", input), ("output", output),
    ]
  }
}

/// The body of `POST /v1/sagas/{id}/VERB`.
public struct VerbRequest: Sendable {
  public let reason: String
  public let members: VerbMembers
  /// The version of the saga that the caller has seen. The engine refuses the verb when the saga has a later one.
  public let expectedVersion: Int?

  public init(reason: String, _ members: VerbMembers = VerbMembers(), expectedVersion: Int? = nil) {
    self.reason = reason
    self.members = members
    self.expectedVersion = expectedVersion
  }

  public var json: JSON {
    .present([("reason", .string(reason))] + members.members + [("expectedVersion", .integer(expectedVersion))])
  }
}

/// The body of `POST /v1/operations`.
public struct NewOperationRequest: Sendable {
  public let verb: String
  public var members = VerbMembers()
  public var dryRun = false
  /// The query parameters of the list of sagas; nil with `sagas`.
  public var filter: JSON?
  public var sagas: [String] = []
  /// The selection of a dry run, which names exactly the sagas that it found.
  public var selection: String?
  public var reason: String?
  /// Sagas a second.
  public var rate: Double?
  /// How long the rate takes to rise, as `30s`.
  public var ramp: String?

  public init(verb: String) { self.verb = verb }

  public var json: JSON {
    .present(
      [("verb", .string(verb)), ("filter", filter), ("sagas", .textsIfAny(sagas))] + members.members + [
        ("dryRun", .flag(dryRun)), ("reason", .text(reason)), ("selection", .text(selection)),
        ("rate", rate.map { .number(JSONNumber($0)) }), ("ramp", .text(ramp)),
      ])
  }
}

/// The body of `POST /v1/operations/{id}/approve`, `decline` and `stop`.
public struct DecisionRequest: Sendable {
  public let reason: String
  public init(reason: String) { self.reason = reason }
  public var json: JSON { ["reason": .string(reason)] }
}

/// The body of `POST /v1/echo/rewind`.
public struct EchoRewindRequest: Sendable {
  /// The last position that is not sent again.
  public let to: Int
  /// The shard; nil for every shard.
  public let shard: Int?
  public let reason: String

  public init(to: Int, shard: Int? = nil, reason: String) {
    self.to = to
    self.shard = shard
    self.reason = reason
  }

  public var json: JSON { .members(["to": .int(to), "shard": .integer(shard), "reason": .string(reason)]) }
}

/// The body of `POST /v1/notices/test` and `resend`.
public struct NoticeRequest: Sendable {
  public let destination: String
  /// The notice; nil for all that were given up. Of `resend`.
  public let id: String?

  public init(destination: String, id: String? = nil) {
    self.destination = destination
    self.id = id
  }

  public var json: JSON { .members(["destination": .string(destination), "id": .text(id)]) }
}

extension JSON {
  fileprivate static func present(_ members: [(String, JSON?)]) -> JSON {
    .object(JSONObject(members.compactMap { name, value in value.map { (name, $0) } }))
  }
}
