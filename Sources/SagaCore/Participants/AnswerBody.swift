import JSON

/// The value that the body of a successful answer gives to later steps. The status has already decided the outcome.
///
/// - JSON gives its value, text gives a string, nothing gives null.
/// - A body that can't be read gives the reason instead of a value. A step that reads the value fails with this reason.
enum AnswerBody {
  /// - Throws: why the body can't be read.
  static func value(of answer: HTTPAnswer, limit: Int) throws(StepFailure) -> JSON {
    try Reader(answer: answer, limit: limit).value()
  }

  private struct Reader {
    let answer: HTTPAnswer
    let limit: Int

    func value() throws(StepFailure) -> JSON {
      let type = MediaType(answer.contentType)
      if let fault = answer.bodyFault {
        // The end of an object or an array is visible in its text; the end of a number or a text is not.
        if !fault.isTooLong, type.isJSON || type.name.isEmpty,
          let text = AnswerText.exact(answer.body, charset: type.charset), let json = try? JSON(parsing: text),
          json.objectValue != nil || json.arrayValue != nil
        {
          return json
        }
        throw cut(fault)
      }
      guard let text = AnswerText.exact(answer.body, charset: type.charset) else { throw notText(type) }
      if text.allSatisfy(\.isWhitespace) { return .null }
      guard type.isJSON || type.mayBeJSON else { return .string(text) }
      do {
        return try JSON(parsing: text)
      } catch {
        guard type.isJSON else { return .string(text) }
        throw StepFailure(
          code: EngineErrorCode.answerNotJSON,
          message: "\(said) with a body that says it is JSON and is not: \(error.message) \(beginning(of: text))")
      }
    }

    private var said: String { "\(answer.sender.name) answered \(answer.status)" }

    private func beginning(of text: String) -> String {
      "The body begins: \(ParticipantText.oneLine(text, most: 100))"
    }

    private func cut(_ fault: HTTPAnswer.BodyFault) -> StepFailure {
      if fault.isTooLong {
        return StepFailure(
          code: fault.code, message: "\(said) with a body of more than \(limit) bytes, the most that the engine reads.")
      }
      return StepFailure(
        code: EngineErrorCode.answerCut,
        message:
          "\(said), and the rest of the answer could not be read after \(answer.body.count) bytes of its body. "
          + fault.message)
    }

    private func notText(_ type: MediaType) -> StepFailure {
      let size = "\(answer.body.count) bytes"
      let coding = answer.contentEncoding.map { ", encoded as \(ParticipantText.oneLine($0, most: 50))" }
      let what = type.name.isEmpty ? size : "\(size) of \(type.name)"
      return StepFailure(
        code: EngineErrorCode.answerNotText,
        message: "\(said) with \(what)\(coding ?? ""), which can't be read as text in "
          + "\(type.charset.map { ParticipantText.oneLine($0, most: 50) } ?? "UTF-8").")
    }
  }
}
