import Persistence
import Runtime
import Values
import WorkflowEngine

// The metrics that the engine, the server and the process count by themselves.
extension API {
  /// Adds the counters of the engine and of the server, and what the engine has to do.
  func addCounted(to text: inout PrometheusText) {
    let load = engine.load
    text.add("tracseq_sagas_in_memory", .gauge, "Sagas in memory.", Int64(load.sagasInMemory))
    text.add(
      "tracseq_sagas_working", .gauge, "Sagas that decide, or whose append is under way.", Int64(load.sagasWorking))
    text.add("tracseq_attempts_under_way", .gauge, "Calls that wait for their answer.", Int64(load.attemptsUnderWay))
    text.add("tracseq_timers", .gauge, "Sagas that wait for a time.", Int64(load.timers))
    text.add(
      "tracseq_timer_delay_seconds", .gauge, "How long the oldest timer that is due has been due.",
      [.init(seconds: load.timerDelay)])
    let meters = engine.meters
    for counters in meters.counters + [requestMeters.requests] { text.add(counters) }
    for histograms in meters.histograms + [requestMeters.durations] { text.add(histograms) }
  }

  /// Adds the size of the store.
  func addStoreSize(to text: inout PrometheusText) async {
    guard let size = await known("the store's size", { [engine] in try await engine.storeSize() }) else { return }
    if let bytes = size.bytes { text.add("tracseq_store_bytes", .gauge, "The size of the event store.", bytes) }
    if let free = size.freeBytes {
      text.add("tracseq_store_free_bytes", .gauge, "The free space on the disk of the event store.", free)
    }
  }

  /// Adds what the system says about the process, under the names that every Prometheus client uses.
  func addProcess(to text: inout PrometheusText) {
    if !version.isEmpty {
      text.add("tracseq_build_info", .gauge, "The program's version; always 1.", [.init(1, ["version": version])])
    }
    let figures = ProcessFigures()
    if let time = figures.processorTime {
      text.add(
        "process_cpu_seconds_total", .counter, "Processor time of the process, user and system.",
        [.init(seconds: time)])
    }
    let values: [(name: String, help: String, value: Int64?)] = [
      ("process_resident_memory_bytes", "Memory that the process has in use.", figures.residentBytes),
      ("process_virtual_memory_bytes", "Address space of the process.", figures.virtualBytes),
      ("process_open_fds", "Open file descriptors.", figures.openFiles),
      ("process_max_fds", "The most file descriptors that the process may open.", figures.mostFiles),
      ("process_start_time_seconds", "When the process started, in seconds since 1970.", figures.startedAt),
    ]
    for (name, help, value) in values {
      if let value { text.add(name, .gauge, help, value) }
    }
  }
}

/// The sagas of all incidents at one time.
struct IncidentsNow {
  let totals: [IncidentKind: Int]
  /// When the first incident of each kind began.
  private(set) var oldest: [IncidentKind: Timestamp] = [:]

  /// Asks the lists once, or once more for each kind that a page does not reach.
  init(of engine: any SagaEngine, at now: Timestamp) async throws {
    let page = try await engine.incidents(IncidentQuery(at: now, samples: 0), after: nil, limit: 200)
    totals = page.totals
    note(page.incidents)
    for kind in IncidentKind.allCases where oldest[kind] == nil && (totals[kind] ?? 0) > 0 {
      note(
        try await engine.incidents(IncidentQuery(at: now, kinds: [kind], samples: 0), after: nil, limit: 1).incidents)
    }
  }

  private mutating func note(_ incidents: [SagaIncident]) {
    for incident in incidents {
      oldest[incident.key.kind] = min(oldest[incident.key.kind] ?? incident.since, incident.since)
    }
  }
}
