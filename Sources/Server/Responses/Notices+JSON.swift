import JSON
import Values
import WorkflowEngine

extension NoticeStatus {
  /// As `GET /v1/notices` shows it.
  var json: JSON {
    .members([
      "name": .string(name), "kind": .string(kind.rawValue), "target": .string(target),
      "types": .texts(types.map(\.rawValue)), "state": .string(state.rawValue), "pending": .int(pending),
      "pendingIsMore": .bool(isPendingMore), "oldestPending": .time(oldestPending),
      "delivered": .number(JSONNumber(delivered)), "lastDeliveredAt": .time(lastDeliveredAt),
      "failingSince": .time(failingSince), "failures": .int(failures),
      "problem": problem.map {
        ["code": .string($0.code), "message": .string($0.message), "at": .string($0.at.description)]
      },
      "nextTryAt": .time(nextTryAt), "givenUp": .number(JSONNumber(givenUp)), "lastGivenUpAt": .time(lastGivenUpAt),
      "letters": .array(letters.map(\.json)),
    ])
  }
}

extension NoticeLetter {
  fileprivate var json: JSON {
    [
      "id": .string(id), "type": .string(type), "at": .string(at.description), "summary": .string(summary),
      "attempts": .int(attempts), "givenUpAt": .string(givenUpAt.description), "code": .string(code),
      "message": .string(message),
    ]
  }
}

extension NoticeTest {
  var json: JSON {
    let delivered: Bool
    var (answer, problem): (String?, JSON?)
    switch outcome {
    case .delivered(let said): (delivered, answer) = (true, said)
    case .failed(let failure):
      delivered = false
      problem = ["code": .string(failure.code), "message": .string(failure.message)]
    }
    return .members([
      "destination": .string(destination), "id": .string(id), "delivered": .bool(delivered), "answer": .text(answer),
      "problem": problem, "tookSeconds": .seconds(took),
    ])
  }
}

extension NoticeResend {
  var json: JSON {
    [
      "destination": .string(destination), "delivered": .texts(delivered),
      "failed": .array(
        failed.map {
          [
            "id": .string($0.id),
            "problem": ["code": .string($0.failure.code), "message": .string($0.failure.message)],
          ]
        }), "left": .int(left), "tookSeconds": .seconds(took),
    ]
  }
}
