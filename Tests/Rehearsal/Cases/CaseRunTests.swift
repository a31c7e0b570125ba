import JSON
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

@testable import Rehearsal

@Suite("A case of a workflow's tests", .timeLimit(.minutes(15)), .inTurn)
struct CaseRunTests {
  @Test("passes when everything is as it expects")
  func passes() throws {
    let result = try CaseBench.play(
      """
      \(CaseBench.approval),
      "key": "ORD-1", "startAt": "2026-05-04T10:00:00Z",
      "expect": {
        "status": "completed",
        "steps": { "hurry": "skipped", "approve": { "status": "succeeded", "output": { "ok": true, "name": "anna" } } },
        "sent": [
          { "step": "book", "method": "PUT", "path": "/bookings/T-1", "body": { "count": 2, "tube": "T-1" }, "at": "0s" },
          { "step": "load", "service": "robot", "bodyIncludes": { "by": "anna" }, "key": "${steps.load.key}" }
        ],
        "output": { "booking": 7 }, "undone": [], "remains": ["load", "book"], "takes": ">= 30m"
      }
      """)
    #expect(result.said == [])
    #expect(result.run?.state.startedAt == Timestamp("2026-05-04T10:00:00Z"))
    #expect(result.run?.state.start.idempotencyKey == "ORD-1")
    // Virtual time: two calls of 50 ms and the wait.
    #expect(result.run?.duration == .milliseconds(30 * 60_000 + 100))
  }

  /// What a case expects of a run that completes, and the difference that it must show.
  static let wrong: [(String, [String])] = [
    (#"{ "status": "compensated" }"#, ["status: expected compensated, seen completed"]),
    (
      #"{ "failedStep": "load", "error": "x" }"#,
      [
        "failedStep: expected load, seen no step failed", "error: expected x, seen no error",
      ]
    ),
    (#"{ "steps": { "hurry": "succeeded" } }"#, ["steps.hurry: expected succeeded, seen skipped"]),
    (#"{ "steps": { "book": { "attempts": 2 } } }"#, ["steps.book.attempts: expected 2, seen 1"]),
    (#"{ "undone": ["load", "book"] }"#, ["undone: expected load, book, seen none"]),
    (#"{ "remains": [] }"#, ["remains: expected none, seen book, load"]),
    (#"{ "sent": { "load": 0 } }"#, ["sent.load: expected 0 calls, seen 1 call"]),
    (
      #"{ "sent": { "load": { "undo": true } } }"#,
      ["sent.load: expected a call of the undo of load, seen no such call"]
    ),
    (
      #"{ "sent": [{ "step": "load" }, { "step": "book" }] }"#,
      ["sent[1]: expected a call of book, seen the call was sent, but earlier"]
    ),
    (#"{ "output": { "booking": 8 } }"#, [#"output: expected {"booking":8}, seen {"booking":7}"#]),
    (#"{ "takes": "< 10m" }"#, ["takes: expected < 10m, seen 30m 100ms"]),
    (#"{ "refused": "input.invalid" }"#, ["refused: expected input.invalid, seen the saga started, and is completed"]),
  ]

  @Test("shows what differs", arguments: wrong)
  func differs(_ expect: String, _ said: [String]) throws {
    let result = try CaseBench.play("\(CaseBench.approval), \"expect\": \(expect)")
    #expect(result.said == said)
    #expect(!result.isPassed)
  }

  @Test("shows where the nearest call and a body differ")
  func body() throws {
    let result = try CaseBench.play(
      """
      \(CaseBench.approval), "expect": { "sent": [
        { "step": "book", "method": "POST", "path": "/bookings/${input.id}", "body": { "tube": "T-2", "more": 1 } } ] }
      """)
    #expect(result.said == ["sent[0]: expected a call of book, seen a call that differs"])
    #expect(
      result.differences.first?.details == [
        "method: expected POST, seen PUT", #"body/tube: expected "T-2", seen "T-1""#,
        "body/more: expected 1, seen none", "body/count: not expected, seen 2",
      ])
  }

  @Test("shows an expression that can't be computed")
  func expression() throws {
    let result = try CaseBench.play(
      #"\#(CaseBench.approval), "expect": { "output": { "booking": "${steps.book.output.nubmer}" } }"#)
    #expect(
      result.said == [
        #"output: expected {"booking":"${steps.book.output.nubmer}"}, seen it can't be computed [expression.empty]"#
      ])
  }

  @Test("fails and says what to add when a call has no answer")
  func noAnswer() throws {
    let defaults = #"{ "input": { "id": "T-1" }, "answers": { "book": { "status": 503 } } }"#
    let result = try CaseBench.play(#""expect": { "status": "compensated" }"#, defaults: defaults)
    #expect(result.unanswered.first?.step == "book")
    #expect(result.unanswered.first?.phase == .undo)
    #expect(
      result.said == [
        "undo.book: expected an answer for the undo of the step book, seen none, and the saga calls it [tests.noAnswer]"
      ])
    #expect(result.differences.first?.details == ["add to \"undo\":", "  \"book\": { \"status\": 204 }"])
  }

  @Test("is refused at its start by the schema of the input")
  func refused() throws {
    #expect(try CaseBench.play(#""input": { "id": null }, "expect": { "refused": "input.invalid" }"#).said == [])
    let other = try CaseBench.play(#""input": { "id": 1 }, "expect": { "refused": "x" }"#)
    #expect(other.said == ["refused: expected x, seen input.invalid"])
    let unexpected = try CaseBench.play(#""input": { "id": 1 }, "expect": { "status": "completed" }"#)
    #expect(unexpected.said == ["the run: seen input.invalid"])
  }

  @Test("merges its input into the default input")
  func input() throws {
    let result = try CaseBench.play(
      #"\#(CaseBench.approval), "input": { "urgent": true }, "expect": { "steps": { "hurry": "succeeded" } }"#)
    #expect(result.said == [])
    #expect(result.run?.state.start.input == ["id": "T-1", "urgent": true])
  }

  // MARK: Answers

  @Test("gives the n-th call the n-th answer, and the last one again and again")
  func list() throws {
    let result = try CaseBench.play(
      """
      "answers": { "book": [{ "status": 503 }, { "status": 422, "body": { "code": "FULL" } }] },
      "expect": { "status": "compensated", "failedStep": "book", "error": "FULL", "undone": ["book"],
        "steps": { "book": { "status": "undone", "attempts": 2, "outcome": "unknown" } },
        "sent": [{ "step": "book", "at": "0s" }, { "step": "book", "at": "4050ms" }, { "step": "book", "undo": true }] }
      """)
    #expect(result.said == [])
  }

  /// An answer of the step `book`, and what the step comes to.
  static let answers: [(String, String, RoundOutcome, Int)] = [
    (#"{ "status": 409 }"#, "http.409", .failed, 1), (#"{ "status": 429 }"#, "http.429", .unknown, 2),
    (#"{ "status": 500 }"#, "http.500", .unknown, 2), (#"{ "status": 303 }"#, "http.303", .unknown, 1),
    (#"{ "status": 400, "body": "no", "headers": { "Content-Type": "text/plain" } }"#, "http.400", .failed, 1),
    (#"{ "status": 422, "body": { "code": "QC_FAILED" } }"#, "QC_FAILED", .failed, 1),
    (#"{ "fail": { "code": "FULL" } }"#, "FULL", .failed, 1),
    (#"{ "fail": { "code": "FULL", "retryable": true } }"#, "FULL", .failed, 2),
    (#"{ "unknown": { "code": "LOST" } }"#, "LOST", .unknown, 2),
    (#"{ "timeout": "lost" }"#, "timeout", .unknown, 2), (#"{ "timeout": "happened" }"#, "timeout", .unknown, 2),
    (#"{ "late": { "status": 201 } }"#, "timeout", .unknown, 2),
    (#"{ "refusedConnection": true }"#, "http.connectionRefused", .failed, 2),
  ]

  @Test("reads an answer by the engine's own rules", arguments: answers)
  func rules(_ answer: String, _ code: String, _ outcome: RoundOutcome, _ attempts: Int) throws {
    let result = try CaseBench.play(#""answers": { "book": \#(answer) }, "expect": { "status": "compensated" }"#)
    #expect(result.said == [])
    let step = try #require(result.run?.state.step("book"))
    #expect(step.failure?.code == code)
    #expect(step.outcome == outcome)
    #expect(step.forward.count == attempts)
  }

  @Test("keeps account of what happened at the services, whatever the engine knows of it")
  func account() throws {
    let happened = try CaseBench.play(
      """
      "answers": { "book": { "status": 503, "happened": true } }, "undo": { "book": { "timeout": "lost" } },
      "expect": { "status": "stuck", "remains": ["book"], "steps": { "book": { "status": "undoFailed", "undoAttempts": 2 } } }
      """)
    #expect(happened.said == [])
    let late = try CaseBench.play(
      """
      "answers": { "book": { "late": { "status": 201 }, "after": "1h" } }, "tombstones": false,
      "expect": { "status": "compensated", "remains": ["book"] }
      """)
    #expect(late.said == [])
    let refused = try CaseBench.play(
      """
      "answers": { "book": { "late": { "status": 201 }, "after": "1h" } },
      "expect": { "status": "compensated", "remains": [] }
      """)
    #expect(refused.said == [])
  }

  // MARK: Signals, operators, crashes

  @Test("sends the signals to the waits, and expects refusals")
  func signals() throws {
    let result = try CaseBench.play(
      """
      "signals": [
        { "after": "1m", "name": "approval", "body": { "ok": false }, "refused": "signal.refused" },
        { "after": "2m", "name": "approval", "body": { "ok": true, "name": "anna" }, "by": "anna" }
      ],
      "expect": { "status": "completed", "takes": "<= 3m" }
      """)
    #expect(result.said == [])
    let taken = try CaseBench.play(
      """
      "signals": [{ "at": "1m", "name": "approval", "body": { "ok": false } }],
      "expect": { "status": "compensated", "failedStep": "approve", "error": "signal.timeout", "undone": ["book"] }
      """)
    #expect(taken.said == ["signals[0] (approval): expected taken, seen refused with signal.refused"])
  }

  @Test("fails when a signal is never sent, because no step waits for it")
  func unsent() throws {
    let result = try CaseBench.play(
      #"\#(CaseBench.approval), "answers": { "book": { "status": 409 } }, "expect": { "status": "compensated" }"#)
    #expect(
      result.said == [
        "signals[0] (approval): expected sent when a step waits for it, seen never sent: no step began to wait for it"
      ])
  }

  @Test("lets operators act at their times, and expects refusals")
  func operators() throws {
    let result = try CaseBench.play(
      """
      "operators": [
        { "at": "10m", "verb": "retry", "step": "book", "reason": "too early", "refused": "step.notRetryable" },
        { "at": "20m", "verb": "skip", "step": "approve", "output": { "name": "Q. A." }, "reason": "by phone", "actor": "eva" }
      ],
      "expect": { "status": "completed", "sent": { "load": { "bodyIncludes": { "by": "Q. A." } } }, "takes": ">= 20m" }
      """)
    #expect(result.said == [])
    let wrong = try CaseBench.play(
      """
      "operators": [{ "at": "10m", "verb": "resume", "reason": "go" }],
      "expect": { "status": "compensated" }
      """)
    #expect(wrong.said == ["operators[0] (resume): expected taken, seen refused with saga.notPaused"])
  }

  @Test("crashes the engine at an attempt and at a time")
  func crashes() throws {
    let result = try CaseBench.play(
      """
      \(CaseBench.approval),
      "crashes": [{ "step": "load", "when": "beforeRecord" }, { "at": "5m", "downtime": "1m" }],
      "expect": { "status": "compensated", "error": "engine.attemptInterrupted", "undone": ["load", "book"] }
      """)
    #expect(result.said == [])
    #expect(result.run?.restarts.count == 2)
  }

  @Test("fails when a crash never happens")
  func noCrash() throws {
    let result = try CaseBench.play(
      #"\#(CaseBench.approval), "crashes": [{ "step": "load", "undo": true, "when": "afterRecord" }], "expect": { "status": "completed" }"#
    )
    #expect(result.said == ["crashes: expected 1, seen 0"])
  }

  @Test("ends with a coded error when the run needs too much")
  func bounded() throws {
    let forever = """
      { "name": "forever", "version": 1, "timeout": "36500d", "steps": [ { "id": "a", "delay": { "for": "7300d" } } ] }
      """
    let result = try CaseBench.play(#""expect": { "status": "completed" }"#, workflow: forever, defaults: "{}")
    #expect(result.said == ["the run: seen rehearsal.budget"])
  }
}
