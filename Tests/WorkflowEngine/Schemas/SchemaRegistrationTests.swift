import HTTP
import JSON
import Messaging
import Runtime
import TestSupport
import Testing

@testable import WorkflowEngine

@Suite("The events' schema in a registry")
struct SchemaRegistrationTests {
  static let subject = "laboratory.saga.events-value"

  @Test("It is taken; a version with a further type goes with it, one that lost a type doesn't")
  func evolution() async throws {
    let standIn = StandInRegistry()
    try standIn.start()
    let client = HTTPClient()
    let registry = try SchemaRegistry(
      url: standIn.url, compatibility: .backward, client: client, environment: .fake(), log: .silent)
    let first = try await registry.register(subject: Self.subject, schema: SagaEventSchemaText.json)
    #expect(standIn.versions(of: Self.subject) == [Int(first)])

    var more = try #require(EventSchemas.union().objectValue)
    let choices = try #require(more["anyOf"]?.arrayValue)
    more["anyOf"] = .array(choices + [["$ref": "#/$defs/sagaOverdue.v1"]])
    let next = try await registry.register(subject: Self.subject, schema: JSON.object(more).text())
    #expect(standIn.versions(of: Self.subject) == [first, next].map(Int.init))

    var fewer = more
    fewer["anyOf"] = .array(choices.dropLast())
    let text = JSON.object(fewer).text()
    await #expect {
      try await registry.register(subject: Self.subject, schema: text)
    } throws: {
      ($0 as? RegistryError)?.code == RegistryErrorCode.schemaIncompatible
    }
    await client.shutdown()
    await standIn.stop()
  }
}
