import Messaging
import Persistence
import Runtime
import Streaming
import Values

/// Runs topic streams: from reading their files to reporting their status at the stop.
struct StreamsProcess {
  let definitions: [StreamDefinition]
  let cluster: KafkaCluster
  let deadLetters: String
  let location: StoreLocation
  let invocation: Invocation

  private static let statusInterval = Duration.seconds(10)
  /// The time for the delivery of sent messages after a request to stop the process.
  private static let flushTime = Duration.seconds(5)

  private var terminal: Terminal { invocation.terminal }
  private var environment: Runtime.Environment { invocation.environment }
  private var isVerbose: Bool { invocation.arguments.has("verbose") }

  /// A running stream and its source.
  private struct Running: Sendable {
    let processor: StreamProcessor
    let source: KafkaStreamSource
  }

  func run() async throws -> ExitStatus {
    let log = Log.standardError(from: isVerbose ? .info : .warning)
    // 1. From here on a signal is a request to stop, and does not end the process.
    let shutdown = Shutdown.listening(on: terminal, withInput: invocation.arguments.has("stop-with-input"))
    let sink = try KafkaStreamSink(cluster, deadLetters: deadLetters, environment: environment, log: log)
    let store = try await location.open(environment, log: log)
    let result: Result<ExitStatus, any Error>
    do {
      result = .success(try await serve(store, sink, log, until: shutdown))
    } catch {
      result = .failure(error)
    }
    // 4. Close the store, which is no longer used.
    await store.close()
    return try result.get()
  }

  private func serve(_ store: any EventStore, _ sink: KafkaStreamSink, _ log: Log, until shutdown: Shutdown)
    async throws -> ExitStatus
  {
    let streams = try definitions.map { definition in
      let source = try KafkaStreamSource(cluster, name: definition.name, log: log)
      return Running(
        processor: StreamProcessor(
          definition, store: store, source: source, sink: sink, environment: environment, log: log), source: source)
    }
    // 2. Each stream runs by itself: a stream that can't continue does not stop the others.
    let working = Task { () -> Int in
      try await ensureTopics(log)
      terminal.line("\(FileReport.count(streams.count, "stream")) at work on Kafka at \(cluster.brokers)")
      terminal.line("  store      \(location.shown)")
      return await withTaskGroup(of: Bool.self) { group in
        for stream in streams { group.addTask { await work(stream.processor) } }
        return await group.reduce(0) { $0 + ($1 ? 0 : 1) }
      }
    }
    let telling = Task {
      while isVerbose {
        try await environment.sleep(for: Self.statusInterval)
        for stream in streams { terminal.line(StreamLine.text(of: stream.processor.status())) }
      }
    }
    let watching = Task {
      // Without a running stream, there is nothing to wait for.
      defer { shutdown.wake() }
      return try await working.value
    }
    await shutdown.requested()
    // 3. The batch under way ends, or the next run takes it again.
    if shutdown.isAsked { terminal.line("Stopping: each stream ends its batch. Ctrl-C again stops at once.") }
    telling.cancel()
    working.cancel()
    await sink.close(flushWithin: Self.flushTime)
    let result = await watching.result
    for stream in streams { await stream.source.close() }
    for stream in streams {
      for line in StreamLine.full(of: stream.processor.status()) { terminal.line(line) }
    }
    do {
      return try result.get() > 0 ? .failure : .success
    } catch is CancellationError {
      return .success
    }
  }

  /// - Returns: false when the stream can't continue.
  private func work(_ processor: StreamProcessor) async -> Bool {
    do {
      try await processor.run()
    } catch is CancellationError {
      return true
    } catch {
      terminal.complain("saga: the stream \(processor.status().name) can't go on\n")
      terminal.complain(Complaint.text(of: error, style: terminal.errorStyle))
      return false
    }
    return true
  }

  /// Creates the streams' missing output topics, if the broker allows it. The input topics belong to another process.
  private func ensureTopics(_ log: Log) async throws {
    let names = Set(definitions.map(\.to) + definitions.compactMap(\.late) + [deadLetters])
    let topics = try KafkaTopics(cluster)
    var said: String?
    while true {
      do throws(KafkaError) {
        _ = try await topics.ensure(names.sorted().map { KafkaTopic($0) })
        return
      } catch {
        guard error.isRetriable else { throw error }
        if said != error.message {
          log.error("Kafka is not available; the streams wait for it", ("error", error.description))
        }
        said = error.message
      }
      try await environment.sleep(for: .seconds(2))
    }
  }
}

/// The state of a stream, in words.
enum StreamLine {
  /// One line.
  static func text(of status: StreamStatus) -> String {
    let totals = status.totals
    var facts = ["read \(totals.read)", "sent \(totals.sent)"]
    // A lag below a second is left out. Late events are always shown.
    if totals.ignored > 0 { facts.append("ignored \(totals.ignored)") }
    if totals.repeated > 0 { facts.append("repeated \(totals.repeated)") }
    if let watermark = status.watermark { facts += ["late \(totals.late)", "watermark \(watermark)"] }
    if status.kept > 0 { facts.append("kept \(status.kept)") }
    if totals.refused > 0 { facts.append("dead letters \(totals.refused)") }
    if totals.lost > 0 { facts.append("LOST \(totals.lost)") }
    let line = "\(status.name): \(facts.joined(separator: ", "))"
    return status.problem.map { "\(line); blocked: \($0)" } ?? line
  }

  /// Returns the status with the next offset in each partition.
  static func full(of status: StreamStatus) -> [String] {
    [text(of: status)]
      + status.offsets.sorted { $0.key < $1.key }.map { "  \($0.key) next offset \($0.value)" }
  }
}
