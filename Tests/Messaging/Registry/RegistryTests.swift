import Messaging
import TestSupport
import Testing

@Suite("The schema registry", .timeLimit(.minutes(15)), .inTurn)
struct RegistryTests {
  static let subject = "laboratory.saga.events-value"

  @Test("A schema is registered and found by its id")
  func registers() async throws {
    try await RegistryBench.run { bench in
      bench.standIn.put("{}")
      let id = try await bench.registry().register(subject: Self.subject, schema: SampleSchema.first)
      #expect(id == 2)
      #expect(bench.standIn.versions(of: Self.subject) == [2])
      #expect(bench.standIn.level(of: Self.subject) == nil, "the level is unchanged unless it is set")
      let again = try bench.registry()
      #expect(try await again.schema(id: id) == SampleSchema.first)
    }
  }

  @Test("An answer is stored")
  func kept() async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      let id = try await registry.register(subject: Self.subject, schema: SampleSchema.first)
      let asked = bench.standIn.requests.count
      #expect(try await registry.register(subject: Self.subject, schema: SampleSchema.first) == id)
      #expect(try await registry.schema(id: id) == SampleSchema.first)
      #expect(bench.standIn.requests.count == asked)

      let other = Int32(bench.standIn.put(SampleSchema.more))
      for _ in 1...3 { #expect(try await registry.schema(id: other) == SampleSchema.more) }
      #expect(bench.standIn.requests.count == asked + 1)
    }
  }

  @Test("The next schema is checked, and registered when it is compatible with the latest")
  func compatible() async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      let first = try await registry.register(subject: Self.subject, schema: SampleSchema.first)
      let next = try await registry.register(subject: Self.subject, schema: SampleSchema.more)
      #expect(bench.standIn.versions(of: Self.subject) == [Int(first), Int(next)])
      let check = "POST /compatibility/subjects/\(Self.subject)/versions/latest"
      #expect(bench.standIn.requests.filter { $0 == check }.count == 2)
    }
  }

  @Test("A schema that the subject already has is accepted, also when the subject has a newer one")
  func older() async throws {
    try await RegistryBench.run { bench in
      let old = try await bench.registry(compatibility: SchemaCompatibility.none)
        .register(subject: Self.subject, schema: SampleSchema.first)
      _ = try await bench.registry().register(subject: Self.subject, schema: SampleSchema.closed)
      _ = try await bench.registry(compatibility: .backward)
        .register(subject: Self.subject, schema: SampleSchema.closed)
      // An older node starts again: its schema would not be let in now, but it is there.
      let again = try bench.registry()
      #expect(try await again.register(subject: Self.subject, schema: SampleSchema.first) == old)
    }
  }

  @Test(
    "A schema that is not compatible with the latest is refused with the registry's reasons",
    arguments: [
      (SampleSchema.needier, "# requires 'lane', which it did not before"),
      (SampleSchema.closed, "# allows no further members, as it did before"),
    ])
  func incompatible(schema: String, reason: String) async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      let first = try await registry.register(subject: Self.subject, schema: SampleSchema.first)
      let error = await failure { () throws(RegistryError) in
        try await registry.register(subject: Self.subject, schema: schema)
      }
      #expect(error?.code == "schema.incompatible")
      #expect(error?.message.contains(reason) == true && error?.message.contains(Self.subject) == true)
      #expect(error?.isRetriable == false)
      #expect(bench.standIn.versions(of: Self.subject) == [Int(first)])
    }
  }

  @Test("A refused registration has the registry's reason too")
  func conflict() async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      _ = try await registry.register(subject: Self.subject, schema: SampleSchema.first)
      // Another client registered a schema between check and registration.
      let reply = StandInRegistry.error(409, "Schema being registered is incompatible with an earlier schema")
      bench.standIn.fail(
        StandInRegistry.error(40403, "Schema not found"), StandInRegistry.error(40402, "Version latest not found"),
        reply)
      let error = await failure { () throws(RegistryError) in
        try await registry.register(subject: Self.subject, schema: SampleSchema.more)
      }
      #expect(error?.code == "schema.incompatible")
      #expect(error?.message.contains("incompatible with an earlier schema") == true)
    }
  }

  @Test("The compatibility level is set before the check when one is given")
  func level() async throws {
    try await RegistryBench.run { bench in
      let strict = try bench.registry(compatibility: .backward)
      _ = try await strict.register(subject: Self.subject, schema: SampleSchema.first)
      #expect(bench.standIn.level(of: Self.subject) == "BACKWARD")
      let lax = try bench.registry(compatibility: SchemaCompatibility.none)
      _ = try await lax.register(subject: Self.subject, schema: SampleSchema.needier)
      #expect(bench.standIn.level(of: Self.subject) == "NONE")
    }
  }

  @Test("An invalid schema or compatibility level is refused with the registry's own message")
  func unprocessable() async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      let schema = await failure { () throws(RegistryError) in
        try await registry.register(subject: Self.subject, schema: "no schema")
      }
      #expect(schema?.code == "schema.registryRefused")
      #expect(schema?.message.contains("422 Unprocessable Content: Invalid schema of type JSON") == true)

      let full = try bench.registry(compatibility: .full)
      let level = await failure { () throws(RegistryError) in
        try await full.register(subject: Self.subject, schema: SampleSchema.first)
      }
      #expect(level?.code == "schema.registryRefused")
      #expect(level?.message.contains("Invalid compatibility level") == true)
      #expect(bench.standIn.versions(of: Self.subject) == [])
    }
  }

  @Test("A subject is one segment of the path, whatever its name")
  func names() async throws {
    try await RegistryBench.run { bench in
      _ = try await bench.registry().register(subject: "a/b ü?-value", schema: SampleSchema.first)
      #expect(bench.standIn.versions(of: "a/b ü?-value") == [1])
    }
  }

  @Test("An id that is unknown, or of another kind of schema, is an error")
  func unknown() async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      let missing = await failure { () throws(RegistryError) in try await registry.schema(id: 7) }
      #expect(missing?.code == "schema.unknown")
      let avro = Int32(bench.standIn.put(#""string""#, type: "AVRO"))
      let other = await failure { () throws(RegistryError) in try await registry.schema(id: avro) }
      #expect(other?.code == "schema.unknown")
      #expect(other?.message.contains("AVRO") == true)

      // A failure isn't kept: the registry may learn of it.
      for number in 2...7 { bench.standIn.put(#"{"title": "\#(number)"}"#) }
      #expect(try await registry.schema(id: 7) == #"{"title": "7"}"#)
    }
  }
}
