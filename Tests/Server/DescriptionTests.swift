import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// The route table, `docs/schema/openapi.json` and the error pages say the same.
@Suite("The route table, the description and the error pages agree", .timeLimit(.minutes(15)), .inTurn)
struct DescriptionTests {
  let description: APIDescription
  let routes: [Route]

  init() throws {
    description = try APIDescription()
    let engine = FakeEngine()
    routes =
      API(
        engine: engine, live: LiveHub(store: MemoryStore(environment: .system), environment: .system),
        environment: engine.environment, log: .silent
      ).routes
  }

  private var described: [Endpoint] { Endpoint.allCases.filter(\.facts.isDescribed) }

  private func facts(of operation: APIDescription.Operation) throws -> RouteFacts {
    let name = operation.json["operationId"]?.stringValue ?? ""
    return try #require(Endpoint(rawValue: name), "no route is called \(name)").facts
  }

  @Test("Every route of the table is handled once, and no two routes are the same request")
  func everyRouteIsHandled() {
    #expect(routes.map(\.endpoint.rawValue).sorted() == Endpoint.allCases.map(\.rawValue).sorted())
    #expect(Set(Endpoint.allCases.map { "\($0.facts.method) \($0.facts.path)" }).count == Endpoint.allCases.count)
  }

  @Test("The description has every route of the table with its summary, and no other")
  func everyRouteIsDescribed() throws {
    #expect(
      description.operations.compactMap { $0.json["operationId"]?.stringValue }.sorted()
        == described.map(\.rawValue).sorted())
    for operation in description.operations {
      let facts = try facts(of: operation)
      #expect(operation.name == "\(facts.method) \(facts.path)")
      #expect(operation.json["summary"]?.stringValue == facts.summary, "\(operation.name)")
    }
  }

  @Test("The described parameters are those of the table")
  func parametersAreDescribed() throws {
    for operation in description.operations {
      let facts = try facts(of: operation)
      #expect(description.parameters(of: operation, in: "path") == facts.pathParameters, "\(operation.name)")
      #expect(
        description.parameters(of: operation, in: "query").sorted() == facts.query.sorted(), "\(operation.name)")
      #expect(
        description.parameters(of: operation, in: "header").sorted() == facts.headers.sorted(), "\(operation.name)")
    }
  }

  @Test("The described statuses and error codes are those of the table")
  func statusesAndCodesAreDescribed() throws {
    for operation in description.operations {
      let facts = try facts(of: operation)
      var successes: [Int] = []
      var refusals: [Int: [String]] = [:]
      for (status, response) in operation.responses {
        let number = try #require(Int(status))
        guard let codes = response["x-problem-codes"]?.arrayValue else {
          successes.append(number)
          continue
        }
        refusals[number] = codes.compactMap(\.stringValue)
        let text = response["description"]?.stringValue ?? ""
        let named = text.matches(of: /`([a-z][A-Za-z]*\.[A-Za-z]+)`/).map { String($0.1) }
        #expect(named == refusals[number], "\(operation.name) \(status) describes other codes than it lists")
      }
      #expect(successes.sorted() == facts.answers, "\(operation.name)")
      #expect(refusals == facts.refusals, "\(operation.name)")
    }
  }

  @Test("The description's introduction has every code that any request can get, with its status")
  func codesOfAnyRequestAreDescribed() {
    let text = description.document["info"]?["description"]?.stringValue ?? ""
    for (code, status) in Refusals.anyRequest {
      let sentence = text.split(separator: ",").first { $0.contains("`\(code)`") }
      #expect(sentence?.contains("\(status) ") == true, "\(code) is described without \(status)")
    }
  }

  @Test("Every code that a route answers has a status in the one table, a title and a page")
  func everyCodeHasItsStatus() {
    let answered = Set(described.flatMap(\.facts.codes))
    #expect(Set(Refusals.codes) == answered, "a code is in one of the two tables only")
    for code in answered.union(Refusals.anyRequest.keys) {
      #expect(ErrorPages.codes.contains(code), "\(code) has no page")
      #expect(Refusals.title(of: code) != code, "\(code) has no title")
    }
  }

  /// Codes with two statuses; the page names both.
  private static let otherStatuses: [String: Set<Int>] = [HTTPErrorCode.tooManyConnections: [503]]

  @Test("An error page that names the status of its code names the status of the table")
  func pagesHaveTheStatusOfTheTable() throws {
    var checked = 0
    for code in ErrorPages.codes {
      guard let status = Refusals.status(of: code), let page = ErrorPages.markdown(code) else { continue }
      let happened = page.prefix(upTo: page.firstRange(of: "## Why")?.lowerBound ?? page.endIndex)
      let named = happened.matches(of: /(?:status|with|Status:) ([45][0-9][0-9])\b/).compactMap { Int($0.1) }
      guard !named.isEmpty else { continue }
      checked += 1
      #expect(Set(named) == Self.otherStatuses[code, default: []].union([status]), "\(code)")
    }
    #expect(checked > 20, "only \(checked) pages name a status: the pattern is wrong")
  }

  @Test("Every enumeration and every object with members has a name, by which a generated client has a type of it")
  func everyTypeHasAName() {
    // A generator numbers what has no name: `Status`, `Status1`. One more would rename the others.
    func unnamed(_ schema: JSON, at place: String) -> [String] {
      let inner =
        (schema["properties"]?.objectValue ?? [:]).map { ("\(place).\($0)", $1) }
        + ["items", "additionalProperties"].compactMap { word in schema[word].map { ("\(place).\(word)", $0) } }
        + (schema["anyOf"]?.arrayValue ?? []).map { ("\(place).anyOf", $0) }
      return inner.flatMap { place, schema in
        (schema["enum"] != nil || schema["properties"] != nil ? [place] : []) + unnamed(schema, at: place)
      }
    }
    let schemas = description.document["components"]?["schemas"]?.objectValue ?? [:]
    #expect(schemas.flatMap { unnamed($1, at: $0) } == [])
  }

  @Test("The schema of a request is closed. The schema of an answer is open, because a later server may answer more")
  func onlyRequestsAreClosed() {
    let requests = description.operations.reduce(into: Set<String>()) {
      $0.formUnion(description.schemas(from: $1.json["requestBody"] ?? .null))
    }
    #expect(requests.contains("StartRequest") && !requests.contains("Saga"))
    for (name, schema) in description.document["components"]?["schemas"]?.objectValue ?? [:]
    where schema["properties"] != nil {
      #expect((schema["additionalProperties"] == false) == requests.contains(name), "\(name)")
    }
  }

  @Test("An older name says which name is the newer one, and docs/rest.md lists both")
  func olderNamesAreDocumented() throws {
    let guide = String(decoding: try Repository.bytes("docs/rest.md"), as: UTF8.self)
    let names = description.olderNames
    #expect(
      Set(names.map { "\($0.owner).\($0.older)" }) == [
        "Saga.idempotencyKey", "TurnBack.step", "Waiting.name", "SignalAnswer.event", "Projections.lag",
        "ProjectionShard.lag", "Act.actor", "listActs.actor",
      ])
    for name in names {
      #expect(name.isReplaced, "\(name)")
      #expect(guide.contains("| `\(name.newer ?? "")` | `\(name.older)` |"), "\(name)")
    }
  }

  @Test func examplesMeetTheirSchemas() {
    let validator = description.answers
    for (name, schema) in description.document["components"]?["schemas"]?.objectValue ?? [:] {
      for example in schema["examples"]?.arrayValue ?? [] {
        #expect(validator.violations(of: example, against: schema) == [], "\(name)")
      }
    }
    for operation in description.operations {
      let contents = operation.responses.map(\.value) + [operation.json["requestBody"] ?? .null]
      for media in contents.flatMap({ $0["content"]?.objectValue?.map(\.value) ?? [] }) {
        guard let example = media["example"], let schema = media["schema"] else { continue }
        #expect(validator.violations(of: example, against: schema) == [], "\(operation.name)")
      }
    }
  }

  @Test func referencesLeadSomewhere() {
    func check(_ value: JSON) {
      if let reference = value["$ref"]?.stringValue {
        #expect(description.validator.resolve(reference) != .null, "\(reference)")
      }
      for member in value.objectValue ?? [:] { check(member.value) }
      for element in value.arrayValue ?? [] { check(element) }
    }
    check(description.document)
  }

  @Test func theServerHandsItOut() async throws {
    try await TestAPI.run { api in
      let answer = try await api.get("/openapi.json")
      #expect(answer.status == 200)
      #expect(answer.json == description.document)
    }
  }
}
