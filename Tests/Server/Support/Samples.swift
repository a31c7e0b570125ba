import JSON
import SagaCore
import WorkflowEngine

/// Workflows and failures that the tests use.
enum Samples {
  /// Two calls that can be undone, and a signal between them.
  static let storage = """
    {
      "name": "store-sample", "version": 1, "description": "Create, approve, store.", "owner": "biobank",
      "timeout": "1h",
      "steps": [
        { "id": "create",
          "http": { "service": "samples", "method": "PUT", "path": "/samples/${steps.create.uuid}" },
          "compensation": { "http": { "service": "samples", "method": "DELETE",
                                      "path": "/samples/${steps.create.uuid}" } } },
        { "id": "approve", "timeout": "30m",
          "signal": { "name": "approval", "roles": ["qa"], "accept": "$.signal.approved == true" } },
        { "id": "store", "description": "Put it in the freezer.", "retry": { "maxAttempts": 2, "jitter": 0 },
          "http": { "service": "storage", "method": "POST", "path": "/positions" },
          "compensation": { "http": { "service": "storage", "method": "DELETE",
                                      "path": "/positions/${steps.store.uuid}" } } }
      ],
      "output": { "position": "${steps.store.output.position}" }
    }
    """

  /// A wait. Its sagas have a title, and the labels for which the input has values.
  static let labelled = """
    {"name": "tube", "version": 1, "title": "Tube ${input.barcode}",
     "labels": {"patient": "${input.patient}", "ward": "${input.ward ?? nothing}", "volume": "${input.volumeMl} ml"},
     "steps": [{"id": "go", "signal": {"name": "go"}}]}
    """

  /// One wait, and nothing else.
  static func pause(_ name: String = "pause", version: Int = 1, seconds: Int = 1) -> String {
    #"{"name": "\#(name)", "version": \#(version), "steps": [{"id": "wait", "delay": {"for": "\#(seconds)s"}}]}"#
  }

  /// A call that can't be undone, behind it the point of no return.
  static let pivot = """
    {
      "name": "sequence", "version": 1, "timeout": "1h",
      "steps": [
        { "id": "load", "pivot": true, "retry": { "maxAttempts": 1 },
          "http": { "service": "sequencing", "method": "POST", "path": "/loads" }, "compensation": "none" },
        { "id": "notify", "retry": { "maxAttempts": 1 },
          "http": { "service": "notification", "method": "POST", "path": "/messages" }, "compensation": "none" }
      ]
    }
    """

  /// A step that polls.
  static let poll = """
    {
      "name": "sequence-run", "version": 1, "timeout": "3d",
      "steps": [
        { "id": "sequence", "timeout": "2d",
          "http": { "service": "instrument", "method": "GET", "path": "/runs/7" },
          "poll": { "every": "5m", "until": "$.answer.body.state == 'done'",
                    "failWhen": "$.answer.body.state == 'failed'" } }
      ]
    }
    """

  /// A step that waits for its turn.
  static let turn = """
    {
      "name": "load-run", "version": 1,
      "steps": [
        { "id": "load", "concurrency": { "key": "${input.barcode}" }, "compensation": "none",
          "http": { "service": "robot", "method": "PUT", "path": "/loads" } }
      ]
    }
    """

  /// A task for a robot, which another task undoes.
  static let task = """
    {
      "name": "load-plate", "version": 1, "timeout": "1d",
      "steps": [
        { "id": "load", "timeout": "1h", "retry": { "maxAttempts": 2, "initialInterval": "1s", "jitter": 0 },
          "task": { "queue": "robot", "input": { "plate": "${input.plate}" }, "heartbeatTimeout": "30s" },
          "compensation": { "task": { "queue": "robot" }, "timeout": "1h" } }
      ]
    }
    """

  /// A step that is done for each item.
  static let items = """
    {
      "name": "plate", "version": 1,
      "steps": [
        { "id": "well",
          "forEach": { "items": "${input.wells[*]}", "key": "${item}", "maxParallel": 2, "toleratedFailures": "50%" },
          "http": { "service": "robot", "method": "PUT", "path": "/wells/${item}" },
          "retry": { "maxAttempts": 1 }, "compensation": "none" }
      ]
    }
    """

  /// A saga that starts another one.
  static let child = """
    {
      "name": "run", "version": 1,
      "steps": [
        { "id": "deliver", "workflow": { "name": "deliver-results", "input": { "run": "${input.run}" } } }
      ]
    }
    """

  /// A scan that a person undoes, a call that another saga undoes, and behind them a wait.
  static let undos = """
    {
      "name": "take-in", "version": 1, "timeout": "2h",
      "steps": [
        { "id": "scan", "timeout": "30m", "signal": { "name": "scanned" },
          "compensation": {
            "signal": {
              "name": "taken-out", "accept": "$.signal.barcode == $.input.barcode",
              "schema": { "type": "object", "required": ["barcode"], "properties": { "barcode": { "type": "string" } } }
            },
            "timeout": "2h", "remind": { "after": "30m" } } },
        { "id": "load", "http": { "service": "robot", "method": "PUT", "path": "/loads/${steps.load.uuid}" },
          "compensation": { "workflow": { "name": "unload", "input": { "rack": "${input.barcode}" } }, "timeout": "1d",
                            "retry": { "maxAttempts": 2 } } },
        { "id": "wait", "timeout": "30m", "signal": { "name": "go" } }
      ]
    }
    """

  /// A command over Kafka, which another undoes, and behind it a wait.
  static let kafka = """
    {
      "name": "thaw", "version": 1,
      "steps": [
        { "id": "thaw",
          "kafka": { "service": "storage", "command": "thaw", "body": { "id": "${steps.thaw.uuid}" } },
          "compensation": { "kafka": { "service": "storage", "command": "freeze" } } },
        { "id": "wait", "signal": { "name": "go" } }
      ]
    }
    """

  /// Calls that send secrets of the input, and behind them a step that reads the first answer.
  static let secrets = """
    {
      "name": "order", "version": 1, "timeout": "1h",
      "steps": [
        { "id": "create", "retry": { "maxAttempts": 2, "jitter": 0 }, "compensation": "none",
          "http": { "service": "samples", "method": "PUT", "path": "/samples/${input.barcode}",
                    "query": { "token": "${input.apiKey}", "n": "1" }, "headers": { "X-Api-Key": "${input.apiKey}" },
                    "body": { "barcode": "${input.barcode}", "credentials": { "user": "lims" } } } },
        { "id": "store", "retry": { "maxAttempts": 2, "jitter": 0 }, "compensation": "none",
          "http": { "service": "storage", "method": "POST", "path": "/positions",
                    "body": { "sample": "${steps.create.answer.headers.location}" } } }
      ]
    }
    """

  static let refused = StepFailure(code: "QC_FAILED", classes: ["http.422", "http.4xx"], message: "The tube is empty.")
  static let lost = StepFailure(code: "http.503", classes: ["http.5xx"], message: "No answer.", isRetryable: true)
  static let input: JSON = ["barcode": "TUBE-0001", "volumeMl": 4.5]
}
