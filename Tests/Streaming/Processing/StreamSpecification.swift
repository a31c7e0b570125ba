import JSON
import Runtime
import Streaming
import Testing
import Values
import Workflows

/// Times of one day, as `10:05` or `10:05:30`.
func at(_ clock: String) -> Timestamp {
  let text = clock.count == 5 ? clock + ":00" : clock
  return Timestamp("2026-03-01T\(text)Z") ?? Timestamp(milliseconds: .min)
}

extension StreamInput {
  static func samples(key: String? = nil, when: String? = nil, time: String? = nil) throws -> StreamInput {
    StreamInput(
      topic: "samples", when: try when.map { try JSONPathCondition($0) }, key: try key.map { try JSONPath($0) },
      time: try time.map { try JSONPath($0) })
  }
}

/// Events as a topic of samples, or of runs, has them.
struct TestEvent {
  var topic = "samples"
  var partition = 0
  var id: String
  var type = "sample.created"
  var subject: String?
  var time: Timestamp?
  var place: StreamEvent.StorePlace?
  var data: JSON = [:]

  func event(offset: Int64) -> StreamEvent {
    var members: JSONObject = ["id": .string(id), "source": "/lab", "type": .string(type), "data": data]
    if let subject { members["subject"] = .string(subject) }
    if let time { members["time"] = .string(time.description) }
    members["kafka"] = ["topic": .string(topic), "offset": .int(Int(offset))]
    return StreamEvent(
      partition: StreamPartition(topic: topic, number: partition), offset: offset, identity: "/lab#\(id)",
      key: subject, time: time, place: place, document: .object(members))
  }
}

/// Given a stream and the events that it has had, when more come or time passes, then it says this.
///
/// Outputs are compared as text: `blood [10:00–11:00) 3` of a count, `key: left+right` of a pair, else their data.
struct StreamSpecification {
  private(set) var machine: StreamMachine
  private var offset: Int64 = 0
  private(set) var outputs: [StreamOutput] = []
  private(set) var verdicts: [StreamMachine.Verdict] = []
  /// The documents that a store would have.
  private(set) var stored: [String: JSON] = [:]
  private let partitions: Set<StreamPartition>
  var now = at("12:00")

  init(_ definition: StreamDefinition, partitions: [String: Int] = ["samples": 1]) throws {
    self.partitions = Set(
      partitions.flatMap { topic, count in (0..<count).map { StreamPartition(topic: topic, number: $0) } })
    machine = try StreamMachine(definition, partitions: self.partitions)
  }

  mutating func when(_ event: TestEvent) {
    let step = machine.take(event.event(offset: offset), at: now)
    offset += 1
    outputs += step.outputs
    verdicts.append(step.verdict)
  }

  mutating func when(sampleAt time: String?, key: String = "blood", partition: Int = 0, id: String? = nil) {
    when(
      TestEvent(
        partition: partition, id: id ?? "e\(offset)", subject: "s1", time: time.map { at($0) },
        data: ["type": .string(key)]))
  }

  /// - Parameter silent: whether every partition has been read to its end.
  mutating func whenTimeComes(to clock: String, silent: Bool = true) {
    now = at(clock)
    outputs += machine.tick(ended: silent ? partitions : [], at: now)
  }

  /// Keeps what changed as a store does.
  mutating func save() {
    let changes = machine.takeChanges()
    for document in changes.puts { stored[document.id] = document.data }
    for id in changes.deletes { stored[id] = nil }
  }

  /// Forgets everything but what was saved.
  mutating func restart(as definition: StreamDefinition? = nil) throws {
    let documents = stored.map { StateDocument(id: $0.key, data: $0.value) }
    machine = try StreamMachine(definition ?? machine.definition, partitions: partitions, documents: documents)
  }

  /// Checks what has been said since this was asked last.
  mutating func then(_ expected: String..., at location: SourceLocation = #_sourceLocation) {
    let said = outputs.map(Self.text)
    #expect(said == expected, sourceLocation: location)
    outputs = []
  }

  static func text(_ output: StreamOutput) -> String {
    func clock(_ json: JSON?) -> String { String(json?.stringValue?.dropFirst(11).prefix(5) ?? "?") }
    let data = output.data
    if let window = data["window"] {
      return "\(data["key"]?.stringValue ?? "?") [\(clock(window["start"]))–\(clock(window["end"]))) "
        + "\(data["count"]?.intValue ?? -1)"
    }
    if let left = data["left"], let right = data["right"] {
      return "\(output.key ?? "?"): \(left["id"]?.stringValue ?? "?")+\(right["id"]?.stringValue ?? "?")"
    }
    return data.text()
  }
}
