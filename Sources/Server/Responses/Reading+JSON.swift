import Persistence
import SagaCore
import Values
import Wire
import WorkflowEngine

extension TimelineResponse {
  init(_ timeline: Timeline) {
    self.init(
      // Every history begins with the start of its saga.
      start: timeline.start ?? Timestamp(milliseconds: 0), end: timeline.end,
      spans: timeline.spans.map {
        Span(
          step: $0.step, phase: $0.phase.rawValue, kind: $0.kind.rawValue, attempt: $0.attempt, from: $0.from,
          to: $0.to, outcome: $0.outcome, code: $0.code)
      },
      marks: timeline.marks.map { Mark(at: $0.at, what: $0.what, by: $0.by, reason: $0.reason) },
      leftOut: timeline.leftOut == 0 ? nil : timeline.leftOut)
  }
}

extension StatisticsResponse {
  /// Groups the minutes of a workflow by step, each step with its total.
  init(_ minutes: [StepMinute], lists: ProjectionStatus) {
    var order: [String] = []
    var groups: [String: [StepMinute]] = [:]
    for minute in minutes {
      if groups[minute.step] == nil { order.append(minute.step) }
      groups[minute.step, default: []].append(minute)
    }
    self.init(
      steps: order.map { step in
        let minutes = groups[step] ?? []
        var total = StepMinute(workflow: "", step: step, at: Timestamp(milliseconds: 0))
        for minute in minutes { total.merge(minute) }
        return Step(step: step, minutes: minutes.map { Minute($0) }, total: Total(total))
      }, lists: .init(lists))
  }
}

extension StatisticsResponse.Minute {
  fileprivate init(_ minute: StepMinute) {
    self.init(
      at: minute.at, started: minute.started, succeeded: minute.succeeded, failed: minute.failed,
      retried: minute.retried, undone: minute.undone, p50Ms: minute.quantile(0.5), p95Ms: minute.quantile(0.95),
      p99Ms: minute.quantile(0.99))
  }
}

extension StatisticsResponse.Total {
  fileprivate init(_ total: StepMinute) {
    self.init(
      started: total.started, succeeded: total.succeeded, failed: total.failed, retried: total.retried,
      undone: total.undone, p50Ms: total.quantile(0.5), p95Ms: total.quantile(0.95), p99Ms: total.quantile(0.99))
  }
}

extension StepMinute {
  /// Returns a quantile of the durations in milliseconds; nil without durations.
  fileprivate func quantile(_ share: Double) -> Int? { durations.quantile(share).map { Int($0) } }
}

extension StatsResponse.Lists {
  /// - Parameter status: how far lists were before the numbers of the answer were read.
  init(_ status: ProjectionStatus) {
    self.init(lagEvents: Int(status.lag), lagSeconds: status.waited, behind: status.isBehind)
  }
}

extension ProjectionsResponse {
  init(_ status: ProjectionStatus) {
    self.init(
      store: status.store, generation: status.generation, lagEvents: Int(status.lag), lagSeconds: status.waited,
      shards: status.shards.map {
        Shard(shard: $0.shard, position: Int($0.position), head: Int($0.head), lagEvents: Int($0.lag))
      },
      rebuild: status.rebuilding.map { rebuild in
        Rebuild(
          generation: rebuild.generation, since: rebuild.since,
          events: Int(status.shards.reduce(0) { $0 + ($1.rebuilt ?? 0) }),
          of: Int(status.shards.reduce(0) { $0 + $1.head }))
      })
  }
}
