import JSON
import TestSupport
import Testing
import Wire

@testable import Server

/// The types of answers, held to the stored answers and to the schemas of `docs/schema/openapi.json`.
@Suite("Types of answers", .timeLimit(.minutes(15)), .inTurn)
struct WireTests {
  struct Sample: Sendable, CustomTestStringConvertible {
    /// The stored answer in `Tests/Server/Answers`.
    let name: String
    /// The schema in the description.
    let schema: String
    /// Whether the server writes the answer from the type. An answer that the engine stores has another order of members.
    let isWritten: Bool
    let read: @Sendable (JSON) throws(UnexpectedMember) -> JSON
    var testDescription: String { name }

    init<Value: WireValue>(_ name: String, _ schema: String, _ type: Value.Type, isWritten: Bool = true) {
      self.name = name
      self.schema = schema
      self.isWritten = isWritten
      read = { (json) throws(UnexpectedMember) in try Value(json: json).json }
    }
  }

  static let samples: [Sample] =
    [
      "running", "waiting", "backing-off", "paused", "unread", "progress", "stuck", "abandoned", "undoing",
      "compensated", "rewinding", "labelled", "polling", "items", "queued", "child",
    ].map { Sample("saga-\($0)", "Saga", SagaResponse.self) } + [
      Sample("caller", "Caller", CallerResponse.self), Sample("caller-unknown", "Caller", CallerResponse.self),
      Sample("caller-token", "Caller", CallerResponse.self),
      Sample("sign-in-options", "SignInOptions", SignInOptionsResponse.self),
      Sample("sign-in-begun", "SignInBegun", SignInBegunResponse.self),
      Sample("concurrency", "TurnPage", TurnsResponse.self),
      Sample("incidents", "IncidentPage", IncidentsResponse.self),
      Sample("sagas", "SagaPage", SagaListResponse.self), Sample("events", "EventPage", HistoryResponse.self),
      Sample("timeline", "Timeline", TimelineResponse.self),
      Sample("timeline-polling", "Timeline", TimelineResponse.self),
      Sample("calls", "CallPage", CallsResponse.self), Sample("calls-kafka", "CallPage", CallsResponse.self),
      Sample("items", "ItemPage", ItemsResponse.self), Sample("task-poll", "TaskPoll", TaskPollResponse.self),
      Sample("task-answered", "TaskAnswered", TaskAnswerResponse.self),
      Sample("task-heartbeat", "TaskHeartbeat", TaskHeartbeatResponse.self),
      Sample("tasks", "TaskList", TasksResponse.self),
      Sample("document", "SagaDocument", DocumentResponse.self), Sample("stats", "Stats", StatsResponse.self),
      Sample("signal", "SignalAnswer", SignalResponse.self),
      Sample("signal-repeated", "SignalAnswer", SignalResponse.self),
      Sample("workflows", "WorkflowPage", WorkflowListResponse.self),
      Sample("workflow", "Workflow", WorkflowResponse.self),
      Sample("registration", "Registration", RegistrationResponse.self),
      Sample("check", "CheckResult", CheckResponse.self), Sample("statistics", "Statistics", StatisticsResponse.self),
      Sample("echo", "Echo", EchoResponse.self), Sample("echo-rewind", "Rewound", EchoRewindResponse.self),
      Sample("notices", "Notices", NoticesResponse.self), Sample("notice-test", "NoticeTest", NoticeTestResponse.self),
      Sample("notice-test-failed", "NoticeTest", NoticeTestResponse.self),
      Sample("notice-resend", "NoticeResend", NoticeResendResponse.self),
      Sample("notice-resend-failed", "NoticeResend", NoticeResendResponse.self),
      Sample("projections", "Projections", ProjectionsResponse.self),
      Sample("readiness", "Readiness", ReadinessResponse.self), Sample("audit", "ActPage", AuditResponse.self),
      Sample("audit-page", "ActPage", AuditResponse.self),
      Sample("operation-preview", "OperationPreview", OperationPreviewResponse.self),
      Sample("operation", "Operation", OperationResponse.self, isWritten: false),
      Sample("operation-standing", "Operation", OperationResponse.self, isWritten: false),
      Sample("operation-sagas", "OperationSagaPage", OperationSagasResponse.self),
      Sample("operations", "OperationPage", OperationListResponse.self, isWritten: false),
    ]

  private func answer(_ sample: Sample) throws -> JSON {
    try JSON(parsing: try Repository.bytes("Tests/Server/Answers/\(sample.name).json"))
  }

  @Test("An answer that is read and written again has the same text", arguments: samples)
  func readAndWritten(_ sample: Sample) throws {
    let answer = try answer(sample)
    let again = try sample.read(answer)
    #expect(again == answer)
    if sample.isWritten { #expect(again.text() == answer.text()) }
  }

  @Test("A reader requires exactly the members that the schema requires, and names the missing one", arguments: samples)
  func requiredMembers(_ sample: Sample) throws {
    let validator = try APIDescription().validator
    let schema = validator.resolve("#/components/schemas/\(sample.schema)")
    let answer = try answer(sample)
    for (changed, place, isRequired) in Self.withoutOneMember(answer, schema, validator, "") {
      // Counts may have any names.
      if ["Stats", "IncidentPage"].contains(sample.schema), place.hasPrefix("sagas.") { continue }
      do {
        _ = try sample.read(changed)
        #expect(!isRequired, "\(place) is required by the schema alone")
      } catch {
        #expect(isRequired, "\(place) is required by the type alone")
        #expect(error.place == place)
      }
    }
  }

  @Test("A reader ignores an unknown member", arguments: samples)
  func unknownMembers(_ sample: Sample) throws {
    var members = try #require(try answer(sample).objectValue)
    members["aMemberOfALaterVersion"] = ["a": 1]
    #expect(try sample.read(.object(members)) == (try answer(sample)))
  }

  @Test("A reader takes an answer that has the older names alone, and writes both names", arguments: samples)
  func olderNames(_ sample: Sample) throws {
    let answer = try answer(sample)
    let older = Self.older(answer, ["$ref": .string("#/components/schemas/\(sample.schema)")], try APIDescription())
    #expect(try sample.read(older) == answer)
  }

  /// Returns an answer as a server of an older version gives it, without the members that have an older name.
  private static func older(_ value: JSON, _ schema: JSON, _ description: APIDescription) -> JSON {
    let reference = schema["$ref"]?.stringValue
    let owner = reference?.split(separator: "/").last.map(String.init)
    let schema = reference.map(description.validator.resolve) ?? schema
    if let elements = value.arrayValue {
      return .array(elements.map { older($0, schema["items"] ?? true, description) })
    }
    guard let members = value.objectValue, let properties = schema["properties"]?.objectValue else { return value }
    let newer = Set(description.olderNames.filter { $0.owner == owner }.compactMap(\.newer))
    let left = members.filter { !newer.contains($0.name) }
    return .object(JSONObject(left.map { ($0.name, older($0.value, properties[$0.name] ?? true, description)) }))
  }

  private static let someSaga = "019c8a5e-7b1c-7d2e-8f3a-0123456789ab"

  private static func verb(_ set: (inout VerbMembers) -> Void = { _ in }) -> JSON {
    var members = VerbMembers()
    set(&members)
    return VerbRequest(reason: "r", members, expectedVersion: 7).json
  }

  private static func operation(_ verb: String, _ set: (inout NewOperationRequest) -> Void) -> JSON {
    var request = NewOperationRequest(verb: verb)
    request.reason = "r"
    set(&request)
    return request.json
  }

  /// Each body with its schema. Several bodies of one schema have all its members together.
  static let requestBodies: [(schema: String, bodies: [JSON])] = [
    (
      "StartRequest",
      [
        StartSagaRequest(input: 1, version: 1, tags: ["t"]).json, StartSagaRequest(input: 1, version: -3).json,
        StartSagaRequest(input: 1, wantsDraft: true).json,
      ]
    ),
    ("VerbRequest", [verb()]),
    ("RetryRequest", [verb { ($0.step, $0.input) = ("a", [:]) }]),
    ("ResolveRequest", [verb { ($0.step, $0.outcome, $0.output) = ("a", "happened", 1) }]),
    ("SkipRequest", [verb { ($0.step, $0.output) = ("a", 1) }]),
    ("RunNowRequest", [verb { $0.step = "a" }]),
    ("ExtendRequest", [verb { ($0.step, $0.by) = ("a", "2h") }, verb { $0.until = "2026-03-01T08:15:30.250Z" }]),
    ("SagaRewindRequest", [verb { $0.step = "a" }]),
    ("MigrateRequest", [verb { $0.to = 2 }, verb { $0.to = -3 }]),
    (
      "NewOperation",
      [
        operation("retry") {
          ($0.dryRun, $0.filter, $0.members.step, $0.members.input) = (true, ["stuck": true], "a", [:])
        },
        operation("retry") { ($0.filter, $0.selection, $0.rate, $0.ramp) = (["stuck": true], "s", 1.5, "30s") },
        operation("resolve") {
          ($0.sagas, $0.members.step, $0.members.outcome, $0.members.output) = ([someSaga], "a", "happened", 1)
        },
        operation("extend") { ($0.sagas, $0.members.by) = ([someSaga], "2h") },
        operation("migrate") { ($0.dryRun, $0.filter, $0.members.to) = (true, ["workflow": "w"], 2) },
        operation("extend") { ($0.sagas, $0.members.until) = ([someSaga], "2026-03-01T08:15:30.250Z") },
      ]
    ),
    ("OperationWord", [DecisionRequest(reason: "r").json]),
    ("RewindRequest", [EchoRewindRequest(to: 1, shard: 2, reason: "r").json]),
    ("NoticeTestRequest", [NoticeRequest(destination: "d").json]),
    ("NoticeResendRequest", [NoticeRequest(destination: "d", id: "x/1").json]),
  ]

  @Test("A request has the members that its schema describes, and no other", arguments: requestBodies.indices)
  func requests(_ index: Int) throws {
    let (name, bodies) = Self.requestBodies[index]
    let validator = try APIDescription().validator
    let schema = validator.resolve("#/components/schemas/\(name)")
    for body in bodies {
      #expect(validator.violations(of: body, against: schema) == [], "\(name): \(body.text())")
    }
    let written = Set(bodies.flatMap { $0.objectValue?.keys ?? [] })
    #expect(written == Set(schema["properties"]?.objectValue?.keys ?? []), "\(name)")
  }

  /// Every value that lacks one member of one of its objects, the place of that member, and whether the schema requires
  /// it. Objects whose members the schema doesn't name are left alone.
  private static func withoutOneMember(
    _ value: JSON, _ schema: JSON, _ validator: SchemaValidator, _ place: String
  ) -> [(JSON, String, Bool)] {
    let schema = schema["$ref"]?.stringValue.map(validator.resolve) ?? schema
    if let elements = value.arrayValue {
      return elements.enumerated().flatMap { index, element in
        withoutOneMember(element, schema["items"] ?? true, validator, "\(place)[\(index)]").map { changed in
          var elements = elements
          elements[index] = changed.0
          return (.array(elements), changed.1, changed.2)
        }
      }
    }
    guard let members = value.objectValue, let properties = schema["properties"]?.objectValue else { return [] }
    let required = Set((schema["required"]?.arrayValue ?? []).compactMap(\.stringValue))
    return members.flatMap { name, member -> [(JSON, String, Bool)] in
      let inner = place.isEmpty ? name : "\(place).\(name)"
      var without = members
      without[name] = nil
      let deeper = withoutOneMember(member, properties[name] ?? true, validator, inner).map { changed in
        var members = members
        members[name] = changed.0
        return (JSON.object(members), changed.1, changed.2)
      }
      return [(JSON.object(without), inner, required.contains(name))] + deeper
    }
  }
}
