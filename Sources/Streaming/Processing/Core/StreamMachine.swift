import Runtime
public import Values

/// A stream as a value: it is given events and the time, and says what is to be sent and how its state changed.
///
/// No clock, no I/O: the same events, in the same order and with the same moments, always give the same outputs.
public struct StreamMachine: Sendable {
  /// What became of an event.
  public enum Verdict: Sendable, Hashable {
    case taken
    case ignored
    case repeated
    /// Not counted, or not paired, everywhere that it belongs; with the reason.
    case late(String)
    case refused(StreamRefusal)
  }

  /// What an event led to.
  public struct Step: Sendable, Hashable {
    public var verdict: Verdict
    public var outputs: [StreamOutput] = []
  }

  public let definition: StreamDefinition
  public internal(set) var totals: StreamTotals
  // Of these three there is one, as the definition's work says.
  var transform: TransformLogic?
  var counts: WindowCount?
  var pairs: WindowJoin?
  /// Nil when time is nothing to the stream.
  var watermarks: Watermarks?
  var seen: [StreamPartition: SeenPlaces]
  /// The offset that comes next in each partition that has been read.
  public internal(set) var offsets: [StreamPartition: Int64]
  /// The partitions whose own state has changed.
  var touched: Set<StreamPartition> = []
  var isChanged = false

  /// A stream as it begins, or as its state says that it was.
  /// - Parameters:
  ///   - partitions: all partitions of its topics.
  ///   - documents: what `takeChanges` has put and not deleted.
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

  /// Event time has come so far.
  public var watermark: Timestamp? { watermarks?.overall }

  /// How many counts are open, or how many events wait for a partner.
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

  /// A message came that is no event at all.
  public mutating func refuse(in partition: StreamPartition, at offset: Int64) {
    heard(partition, offset)
    totals.refused += 1
  }

  /// The first message that is kept in a partition stands here. What was not read before it is lost.
  public mutating func begin(at first: Int64, in partition: StreamPartition) {
    let next = offsets[partition]
    guard first > next ?? -1 else { return }
    // What was deleted before the stream began was never its own.
    if let next { totals.lost += Int(first - next) }
    offsets[partition] = first
    touched.insert(partition)
    isChanged = true
  }

  /// Time has passed.
  /// - Parameter ended: partitions that have been read to their end, as far as is known.
  public mutating func tick(ended: Set<StreamPartition>, at now: Timestamp) -> [StreamOutput] {
    let before = watermark
    for partition in ended { watermarks?.ended(partition, at: now) }
    watermarks?.advance(at: now)
    // The clock closes what is open, and moves the watermark no further than that needs.
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
    let moment = try checked(try plan.input.requiredMoment(of: event), at: now)
    let before = watermark
    let missed = counts?.take(key: key, at: moment, watermark: before)
    let outputs = note(moment, of: event, at: now)
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
    var read: [(side: WindowJoin.Side, key: String, moment: Timestamp)] = []
    for (side, input) in sides {
      read.append((side, try input.key(of: event), try checked(try input.requiredMoment(of: event), at: now)))
    }
    let before = watermark
    var step = Step(verdict: .taken)
    for (side, key, moment) in read {
      guard let taken = pairs?.take(event, on: side, key: key, at: moment, watermark: before) else { continue }
      step.outputs += taken.outputs
      if taken.isRepeat { step.verdict = .repeated }
      if let reason = taken.lateness { step.verdict = .late(reason) }
    }
    for one in read { step.outputs += note(one.moment, of: event, at: now) }
    return step
  }

  // MARK: Time

  /// An event that the stream is not about tells how far time has come all the same, when it has a time that can be.
  private mutating func ignore(_ event: StreamEvent, _ input: StreamInput, at now: Timestamp) -> Step {
    guard let moment = try? input.moment(of: event), let timing = definition.timing, moment <= now + timing.ahead else {
      return Step(verdict: .ignored)
    }
    return Step(verdict: .ignored, outputs: note(moment, of: event, at: now))
  }

  private func checked(_ moment: Timestamp, at now: Timestamp) throws(StreamRefusal) -> Timestamp {
    guard let timing = definition.timing, moment > now + timing.ahead else { return moment }
    throw StreamRefusal(
      StreamingErrorCode.streamTimeAhead,
      "The event's time \(moment) is ahead of the clock, \(now), by more than may be: it would make all others late.")
  }

  private mutating func note(_ moment: Timestamp, of event: StreamEvent, at now: Timestamp) -> [StreamOutput] {
    watermarks?.note(moment, in: event.partition)
    watermarks?.advance(at: now)
    return follow()
  }

  /// Does what the watermark lets it do.
  private mutating func follow() -> [StreamOutput] {
    guard let watermark else { return [] }
    pairs?.expire(to: watermark)
    return counts?.close(to: watermark) ?? []
  }
}
