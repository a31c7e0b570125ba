import Foundation
import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// `docs/schema/openapi.json` and the server say the same.
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

  @Test func everyRouteIsDescribedAndEveryDescriptionHasItsRoute() {
    #expect(Set(routes.map { "\($0.method) \($0.pattern)" }) == Set(description.operations.map(\.name)))
    #expect(routes.count == description.operations.count)
  }

  @Test func queryParametersAreTheDescribedOnes() {
    for operation in description.operations {
      let route = routes.first { $0.method == operation.method && $0.pattern == operation.pattern }
      #expect(
        Set(route?.query ?? []) == Set(description.parameters(of: operation, in: "query")), "\(operation.name)")
    }
  }

  @Test func pathParametersAreDescribed() {
    for operation in description.operations {
      let names = operation.pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { $0.dropFirst().dropLast() }
      #expect(names.map(String.init) == description.parameters(of: operation, in: "path"), "\(operation.name)")
    }
  }

  @Test func operationsHaveNamesOfTheirOwn() {
    let names = description.operations.compactMap { $0.json["operationId"]?.stringValue }
    #expect(Set(names).count == description.operations.count)
  }

  @Test func everyDescribedCodeHasItsPageAndItsStatus() {
    for code in Set(description.operations.flatMap { $0.problemCodes.map(\.code) }) {
      let page = APIDescription.root.appending(path: "docs/errors/\(code).md").path
      #expect(FileManager.default.fileExists(atPath: page), "\(code) has no page")
    }
    for operation in description.operations {
      for (status, code) in operation.problemCodes {
        if let known = Refusals.status(of: code) { #expect(known == status, "\(code) of \(operation.name)") }
      }
    }
  }

  @Test func everyCodeOfTheServerIsDescribed() {
    let described = Set(description.operations.flatMap { $0.problemCodes.map(\.code) })
    for code in Refusals.codes { #expect(described.contains(code), "\(code) is described nowhere") }
  }

  @Test func examplesMeetTheirSchemas() {
    let validator = description.validator
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
