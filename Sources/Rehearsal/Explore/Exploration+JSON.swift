import JSON
import SagaCore
import Workflows

// The exploration for programs: `saga check --explore --json`.

extension Exploration {
  public var json: JSON {
    var members: JSONObject = [
      "answers": [
        "input": routes[0].answers.input,
        "outputs": .object(
          JSONObject(definition.steps.compactMap { step in routes[0].answers.outputs[step.id].map { (step.id, $0) } })),
      ],
      "routes": .array(
        zip(routes, routeRuns).map { route, run in
          var members = run.members(definition)
          members["step"] = route.step.map(JSON.string)
          members["changes"] = .array(route.changes.map { .string($0) })
          members["faults"] = nil
          return .object(members)
        }),
      "runs": .array(runs.map { .object($0.members(definition)) }),
      "neverUndone": .array(neverUndone.map { ["step": .string($0.step), "why": .string($0.why.rawValue)] }),
      "invariants": .array(
        definition.invariants.indices.map { index in
          let broken = runs(breaking: index)
          return [
            "invariant": .string(definition.invariants[index].text), "holds": .bool(broken.isEmpty),
            "brokenBy": .array(broken.map { .object($0.members(definition)) }),
          ]
        }),
      "gaps": .array(gaps.map(\.json)),
    ]
    members["pairs"] = pairs?.json(definition)
    return .object(members)
  }
}

extension ExploredRun {
  fileprivate func members(_ definition: WorkflowDefinition) -> JSONObject {
    func names(_ steps: [String]) -> JSON { .array(steps.map { .string($0) }) }
    var members: JSONObject = ["faults": .array(faults.map(\.json))]
    if !causes.isEmpty { members["because"] = .array(causes.map(\.json)) }
    members["route"] = .int(route)
    members["end"] = end.map { .string($0.rawValue) } ?? .null
    members["turnedBack"] = turnedBack.map { turned in
      var members: JSONObject = ["code": .string(turned.code)]
      members["step"] = turned.step.map(JSON.string)
      return .object(members)
    }
    members["undone"] = names(undone)
    members["inEffect"] = names(inEffect)
    members["stuckOn"] = .array(
      stuckOn.map { ["step": .string($0.step), "phase": .string($0.phase.rawValue)] })
    members["stuckUntilTimeout"] = names(stuckUntilTimeout)
    members["failedAndPassed"] = names(passedFailures)
    members["skipped"] = names(skipped)
    members["breaks"] = .array(broken.map { .string(definition.invariants[$0].text) })
    return members
  }
}

extension Fault {
  fileprivate var json: JSON {
    ["step": .string(step), "fault": .string(name), "phase": .string(phase.rawValue), "words": .string(words)]
  }
}

extension Exploration.PairExploration {
  fileprivate func json(_ definition: WorkflowDefinition) -> JSON {
    [
      "count": .int(count), "played": .int(played),
      "ends": .object(
        JSONObject(
          Invariant.End.allCases.compactMap { end in ends[end].map { (end.rawValue, JSON.int($0)) } })),
      "news": .array(
        news.map { news in
          var members = news.run.members(definition)
          members["newlyBroken"] = .array(news.broken.map { .string(definition.invariants[$0].text) })
          members["newlyStuck"] = .bool(news.isStuck)
          members["newlyLeftBehind"] = .array(news.leftBehind.map { .string($0) })
          return .object(members)
        }),
      "more": .int(omitted),
    ]
  }
}

extension Exploration.Gap {
  fileprivate var json: JSON {
    switch self {
    case .incomplete(let step, let message):
      var members: JSONObject = ["gap": "incomplete"]
      members["step"] = step.map(JSON.string)
      members["message"] = .string(message)
      return .object(members)
    case .neverRuns(let step): return ["gap": "neverRuns", "step": .string(step)]
    case .neverSkipped(let step): return ["gap": "neverSkipped", "step": .string(step)]
    case .undoNeverRuns(let step): return ["gap": "undoNeverRuns", "step": .string(step)]
    case .bodyNotFound(let fault):
      return ["gap": "bodyNotFound", "step": .string(fault.step), "fault": .string(fault.name)]
    }
  }
}
