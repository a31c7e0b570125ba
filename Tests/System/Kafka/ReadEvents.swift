import Foundation
import JSON

/// The echoed events as an independent consumer read them, checked as they come.
actor ReadEvents {
  struct Event {
    let saga: String
    let version: Int
    let type: String
    let value: String
  }

  private(set) var byPosition: [Int: [Int64: Event]] = [:]
  /// How far each shard and each saga has come in the order of first appearance.
  private var lastPosition: [Int: Int64] = [:]
  private var lastVersion: [String: Int] = [:]
  private var nextOffset: [Int: Int64] = [:]
  private(set) var count = 0
  private(set) var repeats = 0
  private(set) var complaints: [String] = []
  /// The mock cluster has thrown messages away before they were read: then the run says nothing.
  private(set) var lostByBroker = false
  private var waiting: (wanted: Int, continuation: CheckedContinuation<Void, Never>)?

  func add(_ line: KcatReader.Line) {
    if let next = nextOffset[line.partition], line.offset != next { lostByBroker = true }
    nextOffset[line.partition] = line.offset + 1
    guard let shard = line.headers["ce_shard"].flatMap({ Int($0) }),
      let position = line.headers["ce_position"].flatMap({ Int64($0) }),
      let version = line.headers["ce_streamversion"].flatMap({ Int($0) }), let type = line.headers["ce_type"]
    else { return complain("\(line.partition)/\(line.offset) lacks headers: \(line.headers)") }
    if line.headers["ce_id"] != "\(line.key)/\(version)" { complain("\(line.headers) is not of \(line.key)") }
    let event = Event(saga: line.key, version: version, type: type, value: line.value)
    if let before = byPosition[shard]?[position] {
      repeats += 1
      let isSame =
        before.saga == event.saga && before.version == version && before.type == type && before.value == event.value
      if !isSame { complain("shard \(shard) position \(position) is two events") }
    } else {
      if position != (lastPosition[shard] ?? 0) + 1 {
        complain("shard \(shard): \(position) first comes after \(lastPosition[shard] ?? 0)")
      }
      if version != (lastVersion[event.saga] ?? 0) + 1 {
        complain("saga \(event.saga): version \(version) first comes after \(lastVersion[event.saga] ?? 0)")
      }
      lastPosition[shard] = position
      lastVersion[event.saga] = version
      byPosition[shard, default: [:]][position] = event
      count += 1
    }
    if let waiting, count >= waiting.wanted {
      self.waiting = nil
      waiting.continuation.resume()
    }
  }

  /// Returns when so many different events have come.
  func wait(for wanted: Int) async {
    if count >= wanted { return }
    await withCheckedContinuation { waiting = (wanted, $0) }
  }

  /// The events of a saga in the order of their versions.
  func history(of saga: String) -> [Event] {
    byPosition.values.flatMap { $0.values.filter { $0.saga == saga } }.sorted { $0.version < $1.version }
  }

  func countOfSagas() -> Int { lastVersion.count }

  private func complain(_ text: String) { if complaints.count < 20 { complaints.append(text) } }
}
