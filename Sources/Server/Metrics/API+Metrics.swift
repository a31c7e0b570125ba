import HTTP
import Messaging
import Notifications
import Persistence
import Runtime
import SagaCore
import Streaming
import Values
import WorkflowEngine

extension API {
  /// Returns the process's measurements. It also answers while the engine starts and while the store is unavailable.
  /// The answer omits values that are unknown.
  func showMetrics(_ call: Call) async throws -> HTTPServerResponse {
    var text = PrometheusText()
    text.add(
      "tracseq_ready", .gauge, "1 when /readyz says that commands are carried out.",
      engine.isReady && engine.storeHealth.problem == nil ? 1 : 0)
    let health = engine.storeHealth
    text.add(
      "tracseq_store_writable", .gauge, "0 while the store takes no writes, or is another process's.",
      health.problem == nil && !health.isTakenOver && health.isConfirmed ? 1 : 0)
    text.add(
      "tracseq_store_failing_seconds", .gauge, "For how long the store has taken no writes.",
      [.init(seconds: health.problem.map { max(.zero, environment.now() - $0.since) } ?? .zero)])
    text.add(
      "tracseq_store_foreign_events_total", .counter,
      "Places of events that another program had taken in this engine's shards, since the process began.",
      health.intruders?.count ?? 0)
    text.add(
      "tracseq_clock_offset_seconds", .gauge,
      "How far the wall clock is ahead of the engine's time. Not 0: the clock was set.",
      [.init(seconds: environment.wallNow() - environment.now())])
    // How far lists are is asked before their numbers. Lists that are behind would claim that nothing is stuck.
    let lists = await known("the read model", { [engine] in try await engine.projections() })
    let areListsCurrent = lists.map { !$0.isBehind } ?? false
    if areListsCurrent, let counts = await known("the sagas", { [engine] in try await engine.counts() }) {
      text.add(
        "tracseq_sagas", .gauge, "Sagas by status.",
        SagaStatus.allCases.map { .init(Int64(counts[$0] ?? 0), ["status": $0.rawValue]) })
    }
    text.add(
      "tracseq_sagas_held", .gauge, "Sagas that are held back because processes died while they computed them.",
      [.init(Int64(engine.held.count))])
    let turns = engine.turnCounts
    text.add("tracseq_turn_keys", .gauge, "Keys of concurrency that have a holder or a waiter.", Int64(turns.keys))
    text.add(
      "tracseq_turns", .gauge, "Turns of all keys, held and waited for.",
      [
        .init(Int64(turns.held), ["state": "held"]), .init(Int64(turns.waiting), ["state": "waiting"]),
      ])
    let queues = engine.taskQueues
    func queued(_ value: (TaskQueueNow) -> Int) -> [PrometheusText.Sample] {
      queues.map { .init(Int64(value($0)), ["queue": $0.name]) }
    }
    text.add("tracseq_tasks_waiting", .gauge, "Tasks that wait for a worker.", queued(\.waiting))
    text.add("tracseq_tasks_taken", .gauge, "Tasks that workers have.", queued(\.taken))
    text.add("tracseq_task_workers_waiting", .gauge, "Workers that wait for a task.", queued(\.pollers))
    let now = environment.now()
    text.add(
      "tracseq_task_asked_seconds", .gauge,
      "How long ago a worker last asked the queue. Missing when none has asked since the process began.",
      queues.compactMap { queue in
        queue.lastAskedAt.map { .init(seconds: max(.zero, now - $0), ["queue": queue.name]) }
      })
    if areListsCurrent { await addIncidents(to: &text) }
    if let lists {
      text.add("tracseq_read_model_lag_events", .gauge, "Events that are stored and not in lists yet.", lists.lag)
      text.add(
        "tracseq_read_model_lag_seconds", .gauge, "How long the oldest of them has been stored.",
        [.init(seconds: lists.waited)])
    }
    text.add(
      "tracseq_access_refused_total", .counter,
      "Requests that were refused because of their caller, since the process began.",
      access.refusals.all.map { .init($0.count, ["code": $0.code]) })
    if let certificate {
      text.add(
        "tracseq_certificate_expires_seconds", .gauge,
        "For how long the server's certificate is still valid. Below 0 after its end.",
        [.init(seconds: certificate.expiresAt - environment.wallNow())])
    }
    var isDegraded =
      !engine.isReady || health.problem != nil || access.authenticator?.problem != nil || !certificateReasons.isEmpty
    if !areListsCurrent || !engine.held.isEmpty { isDegraded = true }
    if let notices {
      let status = await known("notices", { try await notices.status() })
      isDegraded =
        isDegraded || status.map { !Readiness.reasons(of: $0, at: environment.now()).isEmpty } ?? true
      if let status, !status.isEmpty { add(status, to: &text) }
    }
    if let kafka, await add(kafka, to: &text) { isDegraded = true }
    await addStoreSize(to: &text)
    addCounted(to: &text)
    addProcess(to: &text)
    text.add(
      "tracseq_degraded", .gauge, "1 when /readyz says that the engine is degraded or not ready.", isDegraded ? 1 : 0)
    return .bytes(Array(text.text.utf8), type: PrometheusText.contentType)
  }

  private func addIncidents(to text: inout PrometheusText) async {
    let now = environment.now()
    let incidents = await known("the incidents") { [engine] in try await IncidentsNow(of: engine, at: now) }
    guard let incidents else { return }
    text.add(
      "tracseq_incident_sagas", .gauge,
      "Sagas that are stuck, held back, overdue, paused, or failing and being tried again.",
      IncidentKind.allCases.map { .init(Int64(incidents.totals[$0] ?? 0), ["kind": $0.rawValue]) })
    text.add(
      "tracseq_incident_oldest_seconds", .gauge, "For how long the first of these sagas has been so; 0 without one.",
      IncidentKind.allCases.map { kind in
        .init(seconds: incidents.oldest[kind].map { max(.zero, now - $0) } ?? .zero, ["kind": kind.rawValue])
      })
  }

  /// - Returns: whether there is a fault.
  private func add(_ kafka: any KafkaView, to text: inout PrometheusText) async -> Bool {
    let consumers = kafka.consumers
    var reasons = Readiness.reasons(of: consumers)
    let status = await known("the echo", { try await kafka.echo.status() })
    if let status {
      reasons += Readiness.reasons(of: status)
      add(status, to: &text)
    }
    func samples(_ value: (ConsumerStatus) -> Int64) -> [PrometheusText.Sample] {
      consumers.map { .init(value($0), ["group": $0.group, "topic": $0.topics.joined(separator: ",")]) }
    }
    text.add(
      "tracseq_consumer_lag", .gauge, "Messages of the consumer's partitions that are not handled yet.",
      samples(\.lag))
    text.add(
      "tracseq_consumer_handled_total", .counter, "Messages handled since the process began.", samples(\.handled))
    text.add(
      "tracseq_consumer_dead_lettered_total", .counter,
      "Messages that went to the dead letters since the process began.", samples(\.deadLettered))
    return status == nil || !reasons.isEmpty
  }

  private func add(_ notices: [NoticeStatus], to text: inout PrometheusText) {
    let now = environment.now()
    func samples(_ value: (NoticeStatus) -> Int64) -> [PrometheusText.Sample] {
      notices.map { .init(value($0), ["destination": $0.name]) }
    }
    text.add(
      "tracseq_notices_pending", .gauge, "Notices that were found and not delivered yet.", samples { Int64($0.pending) }
    )
    text.add(
      "tracseq_notices_failing_seconds", .gauge, "For how long a destination, or a notice to it, has failed.",
      notices.map {
        .init(seconds: $0.failingSince.map { max(.zero, now - $0) } ?? .zero, ["destination": $0.name])
      })
    text.add(
      "tracseq_notices_gone", .gauge, "1 when the destination said that it wants no more.",
      samples { $0.state == .gone ? 1 : 0 })
    text.add("tracseq_notices_delivered_total", .counter, "Notices delivered.", samples(\.delivered))
    text.add(
      "tracseq_notices_given_up_total", .counter, "Notices that were given up after a long time.", samples(\.givenUp))
  }

  private func add(_ echo: EchoStatus, to text: inout PrometheusText) {
    text.add(
      "tracseq_echo_lag_events", .gauge, "Events that are stored and not delivered to Kafka yet.", echo.lagEvents)
    text.add(
      "tracseq_echo_lag_seconds", .gauge, "How long the oldest of them has waited.", [.init(seconds: echo.lag)])
    text.add("tracseq_echo_held", .gauge, "1 when the echo is blocked.", echo.state == .held ? 1 : 0)
    text.add(
      "tracseq_echo_delivered_total", .counter, "Events delivered to Kafka since the process began.", echo.delivered)
    text.add(
      "tracseq_echo_dead_lettered_total", .counter,
      "Events that the broker refused for good since the process began.", echo.deadLettered)
    if let client = echo.client { add(client, to: &text) }
  }

  /// Adds librdkafka's measurements of the echo's client.
  private func add(_ client: KafkaStatistics, to text: inout PrometheusText) {
    text.add(
      "tracseq_kafka_queued_messages", .gauge, "Messages that the echo's client holds.", Int64(client.queuedMessages))
    text.add("tracseq_kafka_queued_bytes", .gauge, "Their size.", Int64(client.queuedBytes))
    text.add(
      "tracseq_kafka_sent_messages_total", .counter, "Messages that the echo's client has sent.",
      Int64(client.messagesSent))
    text.add("tracseq_kafka_sent_bytes_total", .counter, "Their size.", Int64(client.bytesSent))
    text.add("tracseq_kafka_brokers_up", .gauge, "Brokers that it is connected to.", Int64(client.brokersUp))
    text.add(
      "tracseq_kafka_round_trip_seconds", .gauge, "The slowest broker's 99th percentile of a request's round trip.",
      [.init(seconds: client.roundTrip)])
  }

  /// Returns nil and logs a line when the value can't be determined now.
  func known<Value: Sendable>(
    _ what: String, _ ask: @escaping @Sendable () async throws -> Value
  ) async -> Value? {
    do {
      return try await answerInTime(ask)
    } catch {
      log.warning("Could not read a value for the metrics; leaving it out", ("value", what), ("error", "\(error)"))
      return nil
    }
  }
}
