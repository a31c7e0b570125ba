import HTTP
import JSON
import TestSupport
import Testing

@testable import Messaging

@Suite("A message with its schema's id", .timeLimit(.minutes(15)), .inTurn)
struct SchemaFramingTests {
  static let json = Array(#"{"id":"S-1"}"#.utf8)

  private func poison(of framing: SchemaFraming, _ bytes: [UInt8]) async -> String? {
    do {
      _ = try await framing.unframe(bytes)
      return nil
    } catch let poison as Poison {
      return poison.code
    } catch {
      return "not poison: \(error)"
    }
  }

  @Test("A framed message is a zero byte, the id with its highest byte first, and the unchanged JSON")
  func bytes() {
    let framing = SchemaFraming(registry: nil, id: 0x0102_0304)
    #expect(framing.frame(Self.json) == [0, 1, 2, 3, 4] + Self.json)
    #expect(SchemaFraming.plain.frame(Self.json) == Self.json)
  }

  @Test("A framed message is read again, and its id is looked up once")
  func roundTrip() async throws {
    try await RegistryBench.run { bench in
      for number in 1...300 { bench.standIn.put(#"{"title": "\#(number)"}"#) }
      let registry = try bench.registry()
      let framed = SchemaFraming(registry: registry, id: 300).frame(Self.json)
      let reading = SchemaFraming(registry: registry)
      for _ in 1...3 { #expect(try await reading.unframe(framed) == Self.json) }
      #expect(bench.standIn.requests == ["GET /schemas/ids/300"])
    }
  }

  @Test("A client that registered a schema does not look up its id")
  func registered() async throws {
    try await RegistryBench.run { bench in
      let registry = try bench.registry()
      let id = try await registry.register(subject: "x-value", schema: SampleSchema.first)
      let asked = bench.standIn.requests.count
      let framing = SchemaFraming(registry: registry, id: id)
      #expect(try await framing.unframe(framing.frame(Self.json)) == Self.json)
      #expect(bench.standIn.requests.count == asked)
    }
  }

  @Test("A message without a frame is passed on unchanged, and the registry is not asked")
  func plain() async throws {
    try await RegistryBench.run { bench in
      let framing = SchemaFraming(registry: try bench.registry())
      for bytes in [Self.json, [], Array("null".utf8), Array(" 1".utf8), [1, 0, 0, 0, 0]] {
        #expect(try await framing.unframe(bytes) == bytes)
        #expect(try await SchemaFraming.plain.unframe(bytes) == bytes)
      }
      #expect(bench.standIn.requests == [])
    }
  }

  @Test("A message that ends before its content is poison", arguments: 1...5)
  func truncated(count: Int) async throws {
    try await RegistryBench.run { bench in
      bench.standIn.put(SampleSchema.first)
      let framing = SchemaFraming(registry: try bench.registry())
      #expect(await poison(of: framing, [0, 0, 0, 0, 1].prefix(count) + []) == "schema.truncated")
      #expect(bench.standIn.requests == [])
    }
  }

  @Test("An id that the registry doesn't know is poison", arguments: [0, 2, 0x7FFF_FFFF, -1] as [Int32])
  func unknown(id: Int32) async throws {
    try await RegistryBench.run { bench in
      bench.standIn.put(SampleSchema.first)
      let framing = SchemaFraming(registry: try bench.registry(), id: id)
      #expect(await poison(of: framing, framing.frame(Self.json)) == "schema.unknown")
      #expect(bench.standIn.requests == ["GET /schemas/ids/\(id)"])
    }
  }

  @Test("Without a registry a framed message is poison")
  func noRegistry() async {
    let framed = SchemaFraming(registry: nil, id: 1).frame(Self.json)
    #expect(await poison(of: .plain, framed) == "schema.unknown")
  }

  @Test("A message is not poison when the registry is unavailable; it is read later")
  func unreachable() async throws {
    try await RegistryBench.run { bench in
      bench.standIn.put(SampleSchema.first)
      let framing = SchemaFraming(registry: try bench.registry(), id: 1)
      await bench.standIn.stop()
      let outage = await #expect(throws: RegistryError.self) { try await framing.unframe(framing.frame(Self.json)) }
      #expect(outage?.code == "schema.registryUnavailable")
      try bench.standIn.start()
      bench.standIn.fail(StandInRegistry.error(401, "Unauthorized"))
      let refusal = await #expect(throws: RegistryError.self) { try await framing.unframe(framing.frame(Self.json)) }
      #expect(refusal?.code == "schema.registryRefused")
      #expect(try await framing.unframe(framing.frame(Self.json)) == Self.json)
    }
  }
}
