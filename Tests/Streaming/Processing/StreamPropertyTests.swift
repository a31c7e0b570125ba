import JSON
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import Streaming

/// Properties of every stream, for any messages in any order. They are tried with seeds; a failing seed is printed.
@Suite("Interleavings and restarts change nothing", .timeLimit(.minutes(15)), .inTurn)
struct StreamPropertyTests {
  /// Two partitions' events, each in order of time.
  private func sequences(_ random: inout SeededRandom, topics: [String]) -> [[TestEvent]] {
    (0..<2).map { sequence in
      var time = at("08:00").milliseconds
      return (0..<60).map { number in
        time += Int64(random.next() % 400_000)
        let topic = topics[sequence % topics.count]
        let sample = "s\(random.next() % 5)"
        return TestEvent(
          topic: topic, partition: topics.count == 1 ? sequence : 0, id: "\(sequence)-\(number)",
          type: topic == "runs" ? "run.scheduled" : "sample.created", subject: sample,
          time: Timestamp(milliseconds: time),
          place: .init(source: "/lab/\(sequence)", shard: 0, position: Int64(number + 1)),
          data: ["type": .string(sample), "sampleId": .string(sample)])
      }
    }
  }

  /// Merges the sequences: in order within each, at random between them.
  private func interleaved(_ sequences: [[TestEvent]], _ random: inout SeededRandom) -> [TestEvent] {
    var rest = sequences.map { $0[...] }
    var all: [TestEvent] = []
    while rest.contains(where: { !$0.isEmpty }) {
      let sequence = Int(random.next() % 2)
      if let event = rest[sequence].popFirst() { all.append(event) }
    }
    return all
  }

  private func run(
    _ definition: StreamDefinition, _ partitions: [String: Int], _ events: [TestEvent], restartsAt: Set<Int> = [],
    repeating: Bool = false
  ) throws -> [String] {
    var spec = try StreamSpecification(definition, partitions: partitions)
    spec.now = at("23:00")
    for (index, event) in events.enumerated() {
      spec.when(event)
      if repeating, index % 3 == 0 { spec.when(event) }
      if restartsAt.contains(index) {
        spec.save()
        try spec.restart()
      }
    }
    spec.whenTimeComes(to: "23:00")
    spec.whenTimeComes(to: "23:58")
    #expect(spec.machine.totals.late == 0)
    return spec.outputs.map { "\($0.id) \(StreamSpecification.text($0))" }.sorted()
  }

  /// The outputs, found the long way: every window of every event, every pair of events.
  private func outputs(of definition: StreamDefinition, _ events: [TestEvent]) -> [String] {
    func clock(_ milliseconds: Int64) -> String {
      String(Timestamp(milliseconds: milliseconds).description.dropFirst(11).prefix(5))
    }
    switch definition.work {
    case .transform: return []
    case .count(let plan):
      let (size, advance) = (plan.size / .milliseconds(1), plan.advance / .milliseconds(1))
      var counts: [String: Int] = [:]
      for event in events {
        let time = Double(event.time?.milliseconds ?? 0)
        var start = (time / advance).rounded(.down) * advance
        while start + size > time {
          counts["\(event.subject ?? "") [\(clock(Int64(start)))–\(clock(Int64(start + size))))", default: 0] += 1
          start -= advance
        }
      }
      return counts.map { "\($0.key) \($0.value)" }
    case .join(let plan):
      return events.flatMap { left in
        events.filter { right in
          left.topic == "samples" && right.topic == "runs" && left.subject == right.subject
            && abs((left.time ?? at("00:00")).milliseconds - (right.time ?? at("00:00")).milliseconds)
              <= Int64(plan.within / .milliseconds(1))
        }.map { "\(left.subject ?? ""): \(left.id)+\($0.id)" }
      }
    }
  }

  static func definitions() throws -> [(StreamDefinition, [String: Int])] {
    [
      (try WindowCountTests.count(lateness: .zero, closeAfter: .zero), ["samples": 2]),
      (try WindowCountTests.count(advance: .seconds(700), lateness: .seconds(60), closeAfter: .zero), ["samples": 2]),
      (try WindowJoinTests.join(within: .seconds(900), lateness: .zero), ["samples": 1, "runs": 1]),
    ]
  }

  @Test("Any interleaving of two partitions gives the same outputs, with repeats or without", arguments: 0..<12)
  func interleavings(seed: UInt64) throws {
    for (definition, partitions) in try Self.definitions() {
      var random = SeededRandom(seed: seed)
      let sequences = sequences(&random, topics: partitions.keys.sorted(by: >))
      let expected = try run(definition, partitions, interleaved(sequences, &random))
      let told = expected.map { $0.drop { $0 != " " }.dropFirst() }.map(String.init).sorted()
      #expect(told == outputs(of: definition, sequences.flatMap { $0 }).sorted(), "\(definition.name), seed \(seed)")
      #expect(told.count > 10)
      for _ in 0..<5 {
        let events = interleaved(sequences, &random)
        #expect(try run(definition, partitions, events) == expected, "\(definition.name), seed \(seed)")
        #expect(
          try run(definition, partitions, events, repeating: true) == expected, "\(definition.name), seed \(seed)")
      }
    }
  }

  @Test("A restart at any point gives the same outputs", arguments: 0..<5)
  func restarts(seed: UInt64) throws {
    for (definition, partitions) in try Self.definitions() {
      var random = SeededRandom(seed: seed)
      let sequences = sequences(&random, topics: partitions.keys.sorted(by: >))
      let events = interleaved(sequences, &random)
      let expected = try run(definition, partitions, events)
      for point in events.indices where point % 7 == Int(seed) {
        #expect(
          try run(definition, partitions, events, restartsAt: [point]) == expected, "\(definition.name), \(point)")
      }
      #expect(try run(definition, partitions, events, restartsAt: Set(events.indices)) == expected)
    }
  }

  @Test("State that is damaged, or of another definition, is refused")
  func foreignState() throws {
    var spec = try StreamSpecification(WindowCountTests.count())
    spec.when(sampleAt: "10:00")
    spec.save()
    func error(_ definition: StreamDefinition? = nil, _ change: (inout [String: JSON]) -> Void = { _ in }) -> String? {
      var stored = spec.stored
      change(&stored)
      do {
        _ = try StreamMachine(
          definition ?? spec.machine.definition, partitions: [],
          documents: stored.map { StateDocument(id: $0.key, data: $0.value) })
        return nil
      } catch { return error.code }
    }
    #expect(error() == nil)
    #expect(error(try WindowCountTests.count(size: .seconds(60))) == StreamingErrorCode.streamDefinitionChanged)
    #expect(error(try WindowCountTests.count(key: nil)) == StreamingErrorCode.streamDefinitionChanged)
    // The destination of the outputs and the length of the wait may change.
    #expect(error(try WindowCountTests.count(lateness: .zero, closeAfter: .seconds(1))) == nil)
    for id in spec.stored.keys {
      #expect(error(nil) { $0[id] = ["x": 1] } == StreamingErrorCode.streamStateUnreadable, "\(id)")
    }
    #expect(error(nil) { $0["other"] = [:] } == StreamingErrorCode.streamStateUnreadable)
  }
}
