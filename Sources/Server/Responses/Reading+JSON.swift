import JSON
import Persistence
import Values
import WorkflowEngine

extension Timeline {
  var json: JSON {
    .members([
      "start": .time(start), "end": .time(end),
      "spans": .array(
        spans.map { span in
          .members([
            "step": .string(span.step), "phase": .string(span.phase.rawValue), "kind": .string(span.kind.rawValue),
            "attempt": .integer(span.attempt), "from": .time(span.from), "to": .time(span.to),
            "outcome": .text(span.outcome), "code": .text(span.code),
          ])
        }),
      "marks": .array(
        marks.map { mark in
          .members([
            "at": .time(mark.at), "what": .string(mark.what), "by": .text(mark.by), "reason": .text(mark.reason),
          ])
        }),
    ])
  }
}

/// The minutes of a workflow's steps, by step, with a total for each.
struct StepStatistics {
  private let steps: [(step: String, minutes: [StepMinute])]

  init(_ minutes: [StepMinute]) {
    var order: [String] = []
    var groups: [String: [StepMinute]] = [:]
    for minute in minutes {
      if groups[minute.step] == nil { order.append(minute.step) }
      groups[minute.step, default: []].append(minute)
    }
    steps = order.map { ($0, groups[$0] ?? []) }
  }

  var json: JSON {
    let list = steps.map { step, minutes -> JSON in
      var total = StepMinute(workflow: "", step: step, at: Timestamp(milliseconds: 0))
      for minute in minutes { total.merge(minute) }
      return [
        "step": .string(step), "minutes": .array(minutes.map { $0.json(at: $0.at) }), "total": total.json(at: nil),
      ]
    }
    return ["steps": .array(list)]
  }
}

extension StepMinute {
  fileprivate func json(at minute: Timestamp?) -> JSON {
    func quantile(_ share: Double) -> JSON? { durations.quantile(share).map { .number(JSONNumber($0)) } }
    return .members([
      "at": .time(minute), "started": .int(started), "succeeded": .int(succeeded), "failed": .int(failed),
      "retried": .int(retried), "undone": .int(undone), "p50Ms": quantile(0.5), "p95Ms": quantile(0.95),
      "p99Ms": quantile(0.99),
    ])
  }
}

extension ProjectionStatus {
  var json: JSON {
    .members([
      "store": .string(store), "generation": .int(generation), "lag": .number(JSONNumber(lag)),
      "lagSeconds": .seconds(waited),
      "shards": .array(
        shards.map { shard in
          .members([
            "shard": .int(shard.shard), "position": .number(JSONNumber(shard.position)),
            "head": .number(JSONNumber(shard.head)), "lag": .number(JSONNumber(shard.lag)),
          ])
        }),
      "rebuild": rebuilding.map { rebuild in
        let done = shards.reduce(0) { $0 + ($1.rebuilt ?? 0) }
        return .members([
          "generation": .int(rebuild.generation), "since": .time(rebuild.since), "events": .number(JSONNumber(done)),
          "of": .number(JSONNumber(shards.reduce(0) { $0 + $1.head })),
        ])
      },
    ])
  }
}
