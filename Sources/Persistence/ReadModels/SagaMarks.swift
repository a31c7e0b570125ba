// What a row is found by, as short texts. A list checks a row's marks; an index row for each of them that is selective
// drives it.
enum SagaMark {
  static func status(_ status: String) -> String { "s=\(status)" }
  static func workflow(_ name: String) -> String { "w=\(name)" }
  static func version(_ name: String, _ version: Int) -> String { "v=\(name)@\(version)" }
  static func versionAlone(_ version: Int) -> String { "n=\(version)" }
  static func both(_ workflow: String, status: String) -> String { "b=\(status)/\(workflow)" }
  static func both(_ workflow: String, error: String) -> String { "f=\(workflow)\u{1E}\(error)" }
  static func step(_ step: String, _ status: String) -> String { "x=\(status)/\(step)" }
  static func at(_ step: String) -> String { "a=\(step)" }
  static func stepStatus(_ status: String) -> String { "p=\(status)" }
  static func error(_ code: String) -> String { "e=\(code)" }
  static func waiting(_ what: String) -> String { "d=\(what)" }
  static func tag(_ tag: String) -> String { "t=\(tag)" }
  static func key(_ key: String) -> String { "k=\(key)" }
  static let paused = "z=paused"
  static let word = "q="

  /// Between the marks of a row, and around them. It is in no text that is stored: `clean` takes it out.
  static let separator = "\u{1F}"

  static func clean(_ text: String) -> String { text.contains(separator) ? text.replacing(separator, with: " ") : text }

  /// What nearly every saga has: as an index they would find everything.
  static let commonStepStatuses: Set<String> = ["pending", "succeeded"]

  static func isIndexed(step status: String) -> Bool { !commonStepStatuses.contains(status) }
}

extension SagaRow {
  /// All that its marks say, whether or not an index has them.
  var marks: Set<String> {
    var marks = indexed
    marks.insert(SagaMark.versionAlone(version))
    for step in steps {
      marks.insert(SagaMark.step(step.id, step.status))
      marks.insert(SagaMark.stepStatus(step.status))
    }
    return marks
  }

  /// The marks that an index has, without the words.
  var indexed: Set<String> {
    var marks: Set<String> = [
      SagaMark.status(status), SagaMark.workflow(workflow), SagaMark.version(workflow, version),
      SagaMark.both(workflow, status: status),
    ]
    for step in steps {
      if SagaMark.isIndexed(step: step.status) {
        marks.insert(SagaMark.step(step.id, step.status))
        marks.insert(SagaMark.stepStatus(step.status))
      }
      if step.isAt { marks.insert(SagaMark.at(step.id)) }
    }
    for error in errors {
      marks.insert(SagaMark.error(error))
      marks.insert(SagaMark.both(workflow, error: error))
    }
    for what in waitingFor { marks.insert(SagaMark.waiting(what)) }
    for tag in tags { marks.insert(SagaMark.tag(tag)) }
    if let key { marks.insert(SagaMark.key(key)) }
    if isPaused { marks.insert(SagaMark.paused) }
    return marks
  }

  var indexTerms: Set<String> {
    var terms = Set(indexed.map(SagaMark.clean))
    for word in words { terms.insert(SagaMark.word + SagaMark.clean(word)) }
    return terms
  }

  var marksText: String { Self.text(marks) }
  var wordsText: String { Self.text(Set(words)) }

  private static func text(_ marks: Set<String>) -> String {
    let separator = SagaMark.separator
    return separator + marks.map { SagaMark.clean($0) + separator }.sorted().joined()
  }
}
