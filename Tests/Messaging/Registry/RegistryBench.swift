import HTTP
import JSON
import Messaging
import Runtime
import Synchronization
import TestSupport
import Values

/// A registry on the wire, with a client, a clock and a log.
struct RegistryBench {
  let standIn: StandInRegistry
  let client = HTTPClient()
  /// On it a pause takes no time.
  let clock = InstantClock()
  let lines = Lines()

  /// The lines of the log.
  final class Lines: Sendable {
    private let texts = Mutex<[String]>([])
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
  }

  /// Runs with a registry that listens until the end.
  static func run(user: String? = nil, _ body: (RegistryBench) async throws -> Void) async throws {
    let bench = RegistryBench(standIn: StandInRegistry(user: user))
    try bench.standIn.start()
    do {
      try await body(bench)
      await bench.end()
    } catch {
      await bench.end()
      throw error
    }
  }

  private func end() async {
    await client.shutdown()
    await standIn.stop()
  }

  func registry(
    _ url: String? = nil, compatibility: SchemaCompatibility? = nil, clock: (any WallClock)? = nil
  ) throws -> SchemaRegistry {
    let lines = lines
    let random = Mutex(SeededRandom(seed: 1))
    return try SchemaRegistry(
      url: url ?? standIn.url, compatibility: compatibility, client: client,
      environment: Environment(clock: clock ?? self.clock) { random.withLock { $0.next() } },
      log: Log { level, message, values in lines.add("\(level.rawValue) \(message) \(values)") })
  }
}

/// A clock on which each sleep ends at once. It records the lengths of the sleeps.
final class InstantClock: WallClock {
  private let state = Mutex((now: Timestamp(milliseconds: 1_772_352_000_000), naps: [Duration]()))

  func now() -> Timestamp { state.withLock { $0.now } }
  var naps: [Duration] { state.withLock { $0.naps } }

  func sleep(until deadline: Timestamp) async throws {
    state.withLock { state in
      state.naps.append(deadline - state.now)
      state.now = max(state.now, deadline)
    }
  }
}

/// The error that some work ends with, or nil.
func failure<Value>(of work: () async throws(RegistryError) -> Value) async -> RegistryError? {
  do {
    _ = try await work()
    return nil
  } catch {
    return error
  }
}

/// Schemas of a sample, each the next of the one before.
enum SampleSchema {
  static let first = #"{"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}"#
  static let more = #"""
    {"type": "object", "properties": {"id": {"type": "string"}, "note": {"type": "string"}}, "required": ["id"]}
    """#
  static let needier = #"""
    {"type": "object", "properties": {"id": {"type": "string"}, "lane": {"type": "string"}}, "required": ["id", "lane"]}
    """#
  static let closed = #"""
    {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"], "additionalProperties": false}
    """#
}
