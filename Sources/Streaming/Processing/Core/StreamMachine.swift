public import Values

/// A stream as a value: it takes events and the time, and returns outputs and changes of its state.
///
/// It has no clock and no I/O. The same events, in the same order and at the same times, always give the same outputs.
public struct StreamMachine: Sendable {
  /// The outcome of an event.
  public enum Verdict: Sendable, Hashable {
    case taken
    case ignored
    case repeated
    /// The event is not counted in every window, or not paired with every partner; with the reason.
    case late(String)
    case refused(StreamRefusal)
  }

  /// The outcome and the outputs of an event.
  public struct Step: Sendable, Hashable {
    public var verdict: Verdict
    public var outputs: [StreamOutput] = []
  }

  public let definition: StreamDefinition
  public internal(set) var totals: StreamTotals
  // One of these three is set, according to the definition's work.
  var transform: TransformLogic?
  var counts: WindowCount?
  var pairs: WindowJoin?
  /// Nil when the stream does not use time.
  var watermarks: Watermarks?
  var seen: [StreamPartition: SeenPlaces]
  /// The next offset of each partition that was read.
  public internal(set) var offsets: [StreamPartition: Int64]
  /// The partitions whose own state has changed.
  var touched: Set<StreamPartition> = []
  var isChanged = false

  /// Makes a new stream, or a stream with its stored state.
  /// - Parameters:
  ///   - partitions: all partitions of its topics.
  ///   - documents: the documents that `takeChanges` has put and not deleted.
  /// - Throws: `stream.definitionChanged`, `stream.stateUnreadable`.
  public init(
    _ definition: StreamDefinition, partitions: Set<StreamPartition>, documents: [StateDocument] = []
  ) throws(StreamError) {
    let stored = try StoredState(documents)
    if let fingerprint = stored.fingerprint, fingerprint != definition.fingerprint {
      throw .definitionChanged(definition.name)
    }
    self.definition = definition
    totals = stored.totals
    seen = stored.seen
    offsets = stored.offsets
    watermarks = definition.timing.map {
      Watermarks(timing: $0, partitions: partitions, latest: stored.latest, overall: stored.watermark)
    }
    let (name, type) = (definition.name, definition.type)
    switch definition.work {
    case .transform(let plan): transform = TransformLogic(plan, name: name, type: type)
    case .count(let plan): counts = try WindowCount(plan, name: name, type: type, restoring: stored.others)
    case .join(let plan): pairs = try WindowJoin(plan, name: name, type: type, restoring: stored.others)
    }
  }

  /// The stream's watermark; nil before the first, or when the stream does not use time.
  public var watermark: Timestamp? { watermarks?.overall }

  /// The number of open counts, or of events that wait for a partner.
  public var kept: Int { counts?.count ?? pairs?.count ?? 0 }

  // MARK: Events

  /// Takes the next event of a partition.
  public mutating func take(_ event: StreamEvent, at now: Timestamp) -> Step {
    heard(event.partition, event.offset)
    guard !seen[event.partition, default: SeenPlaces()].isRepeat(event) else {
      totals.repeated += 1
      return Step(verdict: .repeated)
    }
    let step: Step
    do {
      step = try decide(event, at: now)
    } catch {
      step = Step(verdict: .refused(error))
    }
    switch step.verdict {
    case .taken: break
    case .ignored: totals.ignored += 1
    case .repeated: totals.repeated += 1
    case .late: totals.late += 1
    case .refused: totals.refused += 1
    }
    totals.sent += step.outputs.count
    return step
  }

  /// Notes a message that can't be read as an event.
  public mutating func refuse(in partition: StreamPartition, at offset: Int64) {
    heard(partition, offset)
    totals.refused += 1
  }

  /// Notes the offset of the oldest message that a partition keeps. Unread messages before it are lost.
  public mutating func begin(at first: Int64, in partition: StreamPartition) {
    let next = offsets[partition]
    guard first > next ?? -1 else { return }
    // Messages that were deleted before the stream began don't count as lost.
    if let next { totals.lost += Int(first - next) }
    offsets[partition] = first
    touched.insert(partition)
    isChanged = true
  }

  /// Notes that time has passed.
  /// - Parameter ended: the partitions that were read to their end, as far as the source knows.
  /// - Returns: the outputs of windows that are closed now.
  public mutating func tick(ended: Set<StreamPartition>, at now: Timestamp) -> [StreamOutput] {
    let before = watermark
    for partition in ended { watermarks?.ended(partition, at: now) }
    watermarks?.advance(at: now)
    // The clock closes open windows, and moves the watermark only as far as that needs.
    if case .count(let plan) = definition.work, let patience = plan.closeAfter,
      watermarks?.allAreSilent(at: now) ?? false, let end = counts?.lastEnd(by: now - patience)
    {
      watermarks?.advance(to: end)
    }
    guard watermark != before else { return [] }
    isChanged = true
    let outputs = follow()
    totals.sent += outputs.count
    return outputs
  }

  private mutating func heard(_ partition: StreamPartition, _ offset: Int64) {
    watermarks?.heard(partition)
    offsets[partition] = offset + 1
    totals.read += 1
    touched.insert(partition)
    isChanged = true
  }

  private mutating func decide(_ event: StreamEvent, at now: Timestamp) throws(StreamRefusal) -> Step {
    switch definition.work {
    case .transform(let plan):
      guard try plan.input.wants(event) else { return Step(verdict: .ignored) }
      return Step(verdict: .taken, outputs: try transform?.take(event) ?? [])
    case .count(let plan): return try count(event, plan, at: now)
    case .join(let plan): return try pair(event, plan, at: now)
    }
  }

  private mutating func count(_ event: StreamEvent, _ plan: CountPlan, at now: Timestamp) throws(StreamRefusal) -> Step
  {
    guard try plan.input.wants(event) else { return ignore(event, plan.input, at: now) }
    let key = try plan.input.key(of: event)
    let time = try checked(try plan.input.requiredTime(of: event), at: now)
    let before = watermark
    let missed = counts?.take(key: key, at: time, watermark: before)
    let outputs = note(time, of: event, at: now)
    return Step(verdict: missed?.reason.map { .late($0) } ?? .taken, outputs: outputs)
  }

  private mutating func pair(_ event: StreamEvent, _ plan: JoinPlan, at now: Timestamp) throws(StreamRefusal) -> Step {
    var sides: [(WindowJoin.Side, StreamInput)] = []
    for (side, input) in [(WindowJoin.Side.left, plan.left), (.right, plan.right)] where try input.wants(event) {
      sides.append((side, input))
    }
    guard !sides.isEmpty else {
      return ignore(event, plan.left.topic == event.partition.topic ? plan.left : plan.right, at: now)
    }
    var read: [(side: WindowJoin.Side, key: String, time: Timestamp)] = []
    for (side, input) in sides {
      read.append((side, try input.key(of: event), try checked(try input.requiredTime(of: event), at: now)))
    }
    let before = watermark
    var step = Step(verdict: .taken)
    for (side, key, time) in read {
      guard let taken = pairs?.take(event, on: side, key: key, at: time, watermark: before) else { continue }
      step.outputs += taken.outputs
      if taken.isRepeat { step.verdict = .repeated }
      if let reason = taken.lateness { step.verdict = .late(reason) }
    }
    for one in read { step.outputs += note(one.time, of: event, at: now) }
    return step
  }

  // MARK: Time

  /// Ignores an event that the stream does not take. Its time still moves the watermark, if it has a possible time.
  private mutating func ignore(_ event: StreamEvent, _ input: StreamInput, at now: Timestamp) -> Step {
    guard let time = try? input.time(of: event), let timing = definition.timing, time <= now + timing.ahead else {
      return Step(verdict: .ignored)
    }
    return Step(verdict: .ignored, outputs: note(time, of: event, at: now))
  }

  private func checked(_ time: Timestamp, at now: Timestamp) throws(StreamRefusal) -> Timestamp {
    guard let timing = definition.timing, time > now + timing.ahead else { return time }
    throw StreamRefusal(
      StreamingErrorCode.streamTimeAhead,
      "The event's time \(time) is too far ahead of the clock, \(now). It would make all other events late.")
  }

  private mutating func note(_ time: Timestamp, of event: StreamEvent, at now: Timestamp) -> [StreamOutput] {
    watermarks?.note(time, in: event.partition)
    watermarks?.advance(at: now)
    return follow()
  }

  /// Closes windows and drops kept events according to the watermark.
  private mutating func follow() -> [StreamOutput] {
    guard let watermark else { return [] }
    pairs?.expire(to: watermark)
    return counts?.close(to: watermark) ?? []
  }
}
