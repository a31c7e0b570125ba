import Foundation
import JSON
import Messaging
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@Suite("saga streams is killed in the middle of its work", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct StreamsKillTests {
  /// `saga streams` as a process of its own.
  final class Streams: Sendable {
    private let process: TestProcess
    private let heard = Mutex<[String]>([])
    private let listening: Mutex<Task<Void, Never>?> = Mutex(nil)

    init(_ arguments: [String], in folder: URL) throws {
      process = try TestProcess(
        TestProgram.path("saga"), ["streams"] + arguments + ["--stop-with-input"], in: folder, keepsInput: true)
      let task = Task { for await line in process.lines { heard.withLock { $0.append(line) } } }
      listening.withLock { $0 = task }
    }

    var said: [String] { heard.withLock { $0 } }

    func kill() async { await process.killNow() }

    /// - Returns: its exit status, when all that it said has been heard.
    func stop() async -> Int32 {
      let status = await process.stop()
      await listening.withLock { $0 }?.value
      return status
    }
  }

  /// A count in windows of a minute over two partitions, on a broker of its own.
  struct Bench {
    static let partitions = 2
    static let perRound = 600
    static let rounds = 6

    let broker: TestBroker
    let cluster: KafkaCluster
    let folder: URL
    let producer: KafkaProducer
    let samples: String
    let counts: String
    let letters: String
    /// Event time begins ten hours ago, on the minute.
    let start = Timestamp(milliseconds: (Environment.system.now().milliseconds / 60_000 - 600) * 60_000)

    init() async throws {
      let id = Environment.system.newID()
      let names = ["samples-\(id)", "counts-\(id)", "letters-\(id)"]
      (samples, counts, letters) = (names[0], names[1], names[2])
      broker = try await TestBroker.start(topics: ["\(samples):\(Self.partitions)", "\(counts):1", "\(letters):1"])
      cluster = KafkaCluster(brokers: broker.brokers)
      if !broker.isMock {
        _ = try await KafkaTopics(cluster).ensure([
          KafkaTopic(samples, partitions: Self.partitions), KafkaTopic(counts, partitions: 1),
          KafkaTopic(letters, partitions: 1),
        ])
      }
      producer = try KafkaProducer(cluster, name: "test")
      folder = try TestFolder.new("streams")
      let stream = """
        { "name": "per-minute",
          "count": { "from": "\(samples)", "key": "$.data.type", "window": { "size": "1m" }, "lateness": "0s" },
          "to": "\(counts)" }
        """
      try stream.write(to: folder.appendingPathComponent("count.json"), atomically: true, encoding: .utf8)
    }

    func streams() throws -> Streams {
      try Streams(
        ["count.json", "--kafka", broker.brokers, "--store", "sqlite:streams.db", "--dead-letters", letters],
        in: folder)
    }

    /// An event a second in each partition.
    func send(round: Int) async throws {
      for number in round * Self.perRound..<(round + 1) * Self.perRound {
        for partition in 0..<Self.partitions {
          let event = CloudEvent(
            id: "\(partition)/\(number)", source: "/test", type: "sample.created",
            time: start + .seconds(number), data: Array("{\"type\":\"t\(number % 3)\"}".utf8))
          _ = try await producer.send(event.record(topic: samples, key: nil, partition: partition))
        }
      }
    }

    /// Reads the results on, until those that there have been are enough.
    func read(_ reader: KafkaReader, _ results: inout [CloudEvent], until isEnough: ([CloudEvent]) -> Bool)
      async throws
    {
      while !isEnough(results) {
        let batch = try await reader.next(atMost: 1_000, waiting: .milliseconds(100))
        results += try batch.messages.compactMap { try CloudEvent($0) }
      }
    }

    func close() async {
      await producer.close(flushWithin: .zero)
    }
  }

  @Test("After repeated kill -9, every window's count is right, and repeated results are equal")
  func killed() async throws {
    let bench = try await Bench()
    let reader = try KafkaReader(bench.cluster, name: "test-results")
    try await reader.assign([.init(topic: bench.counts, number: 0): 0])
    var results: [CloudEvent] = []
    var streams = try bench.streams()
    for round in 0..<Bench.rounds {
      try await bench.send(round: round)
      // In the middle of a round's windows: ten minutes of three types.
      let middle = Set(results.map(\.id)).count + 7
      guard round < Bench.rounds - 1 else { break }
      try await bench.read(reader, &results) { Set($0.map(\.id)).count >= middle }
      await streams.kill()
      streams = try bench.streams()
    }
    // Of all windows but the last, which nothing has closed, each type's count.
    let windows = Bench.rounds * Bench.perRound / 60 - 1
    try await bench.read(reader, &results) { Set($0.map(\.id)).count >= windows * 3 }
    #expect(await streams.stop() == 0)
    let said = streams.said.joined(separator: "\n")
    // By its own account each went out once, and none was late.
    #expect(said.contains(", sent \(windows * 3), late 0, "), "\(said)")

    var data: [String: String] = [:]
    for result in results {
      let text = String(decoding: result.data, as: UTF8.self)
      #expect(data.updateValue(text, forKey: result.id) ?? text == text, "one id, two results")
    }
    #expect(data.count == windows * 3)
    let counts = try data.values.map { try JSON(parsing: $0)["count"]?.intValue }
    // Twenty a minute of each type, in each partition.
    #expect(counts.allSatisfy { $0 == 40 }, "\(counts)")
    await reader.close()
    await bench.close()
  }
}
