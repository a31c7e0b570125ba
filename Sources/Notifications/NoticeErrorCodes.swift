import SagaCore

extension EngineErrorCode {
  // Notices.
  public static let noticeRefused = "notice.refused"
  public static let noticeGone = "notice.gone"
  public static let noticeDestinationUnknown = "notice.destinationUnknown"
  public static let noticeUnknown = "notice.unknown"
  public static let noticeUnreadable = "notice.unreadable"
  public static let webhookSecretInvalid = "webhook.secretInvalid"
}
