import HTTP
import JSON
import Messaging
import Runtime
import TestSupport
import Testing
import Values

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

@Suite("The events' schema in a registry", .timeLimit(.minutes(15)), .inTurn)
struct SchemaRegistrationTests {
  static let subject = "laboratory.saga.events-value"

  /// Runs with a registry that listens until the end.
  private func run(_ body: (StandInRegistry, SchemaRegistry) async throws -> Void) async throws {
    let standIn = StandInRegistry()
    try standIn.start()
    let client = HTTPClient()
    do {
      try await body(
        standIn,
        try SchemaRegistry(
          url: standIn.url, compatibility: .backward, client: client, environment: .fake(), log: .silent))
    } catch {
      Issue.record(error)
    }
    await client.shutdown()
    await standIn.stop()
  }

  @Test("The echo frames its events with the registry's id, and frames of incoming messages are removed")
  func framing() async throws {
    try await run { standIn, registry in
      standIn.put("{}")
      let framing = EngineKafka.Framing(registry, events: "laboratory.saga.events")
      let frame = try #require(try await framing.prepare())
      #expect(standIn.versions(of: Self.subject) == [2])
      let json = EventSamples.all[0].data.bytes()
      #expect(frame(json) == [0, 0, 0, 0, 2] + json)
      #expect(try await framing.unframe(frame(json)) == json)
      #expect(try await framing.unframe(json) == json)
      await #expect(throws: Poison.self) { try await framing.unframe([0, 0, 0, 0, 9] + json) }
    }
  }

  @Test("The schema is registered; a version with one more type is compatible, one without a type is not")
  func evolution() async throws {
    try await run { standIn, registry in
      let first = try await registry.register(subject: Self.subject, schema: SagaEventSchema.json)
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
    }
  }
}
