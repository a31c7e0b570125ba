public import Messaging
public import Runtime
import Synchronization

/// Sends streams' outputs to a Kafka cluster. Several streams share one sink.
///
/// An output that the broker refuses for good, for example because it is too large, becomes a dead letter. So it does not
/// block the stream.
public final class KafkaStreamSink: StreamSink {
  private let producer: KafkaProducer
  private let deadLetters: DeadLetters
  private let deliveries: PendingDeliveries
  private let log: Log

  /// - Parameters:
  ///   - cluster: the cluster to send to.
  ///   - deadLetters: the topic for messages that can't be used or sent.
  ///   - environment: the clock for the dead letters' `dl_time`.
  /// - Throws: `kafka.configurationInvalid`.
  public init(
    _ cluster: KafkaCluster, deadLetters: String, environment: Environment, log: Log = .silent
  ) throws(KafkaError) {
    let deliveries = PendingDeliveries()
    self.deliveries = deliveries
    self.log = log
    producer = try KafkaProducer(
      cluster, name: "streams", patience: .atMost(.seconds(30)), log: log, reports: { deliveries.report($0) })
    self.deadLetters = DeadLetters(producer: producer, topic: deadLetters, environment: environment)
  }

  public func deliver(_ records: [KafkaRecord]) async throws {
    let flight = deliveries.flight(of: records.count)
    for (index, record) in records.enumerated() {
      while true {
        do {
          try producer.enqueue(record, token: flight.first + UInt64(index))
          break
        } catch {
          guard error.code == MessagingErrorCode.queueFull else {
            deliveries.finish(flight.first + UInt64(index), with: error)
            break
          }
          await producer.room()
        }
      }
    }
    for (index, error) in await deliveries.failures(of: flight) {
      guard error.code == MessagingErrorCode.messageRefused else { throw error }
      log.error(
        "Kafka refuses an output for good; moving it to the dead letters", ("topic", records[index].topic),
        ("error", error.message))
      try await deadLetters.bury(records[index], origin: [], code: error.code, reason: error.message, attempts: 1)
    }
  }

  public func bury(_ message: KafkaMessage, code: String, reason: String) async throws {
    try await deadLetters.bury(message, code: code, reason: reason, attempts: 1)
  }

  /// Waits at most `time` for messages on their way. The others fail, and the next run sends them again.
  public func close(flushWithin time: Duration) async { await producer.close(flushWithin: time) }
}

/// The deliveries whose records are still on their way.
final class PendingDeliveries: Sendable {
  /// The records of one delivery.
  struct Flight: Sendable {
    let first: UInt64
    let count: Int
  }
  private struct Waiting {
    var left: Int
    var failures: [(index: Int, error: KafkaError)] = []
    var continuation: CheckedContinuation<[(index: Int, error: KafkaError)], Never>?
  }
  private struct State {
    var next: UInt64 = 0
    /// The flights by their first tokens.
    var flights: [UInt64: Waiting] = [:]
    /// The first token of each token's flight.
    var owners: [UInt64: UInt64] = [:]
  }
  private let state = Mutex(State())

  func flight(of count: Int) -> Flight {
    state.withLock { state in
      let flight = Flight(first: state.next, count: count)
      state.next += UInt64(count)
      state.flights[flight.first] = Waiting(left: count)
      for token in flight.first..<state.next { state.owners[token] = flight.first }
      return flight
    }
  }

  func report(_ reports: [KafkaProducer.Report]) {
    for report in reports {
      switch report.result {
      case .success: finish(report.token, with: nil)
      case .failure(let error): finish(report.token, with: error)
      }
    }
  }

  func finish(_ token: UInt64, with error: KafkaError?) {
    let ended = state.withLock { state -> Waiting? in
      guard let first = state.owners.removeValue(forKey: token), var flight = state.flights[first] else { return nil }
      flight.left -= 1
      if let error { flight.failures.append((Int(token - first), error)) }
      if flight.left == 0, flight.continuation != nil {
        state.flights[first] = nil
        return flight
      }
      state.flights[first] = flight
      return nil
    }
    ended?.continuation?.resume(returning: ended?.failures ?? [])
  }

  /// Waits until all records of the flight are reported. Returns the records that were not delivered.
  func failures(of flight: Flight) async -> [(index: Int, error: KafkaError)] {
    await withCheckedContinuation { continuation in
      let ended = state.withLock { state -> Waiting? in
        guard var waiting = state.flights[flight.first] else { return Waiting(left: 0) }
        if waiting.left == 0 {
          state.flights[flight.first] = nil
          return waiting
        }
        waiting.continuation = continuation
        state.flights[flight.first] = waiting
        return nil
      }
      if let ended { continuation.resume(returning: ended.failures) }
    }
  }
}
