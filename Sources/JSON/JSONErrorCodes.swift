/// The error codes for invalid JSON text. Each code has a page in `docs/errors/`.
public enum JSONErrorCode {
  public static let byteOrderMark = "json.byteOrderMark"
  public static let controlCharacter = "json.controlCharacter"
  public static let duplicateName = "json.duplicateName"
  public static let incomplete = "json.incomplete"
  public static let loneSurrogate = "json.loneSurrogate"
  public static let notUTF8 = "json.notUTF8"
  public static let number = "json.number"
  public static let syntax = "json.syntax"
  public static let tooDeep = "json.tooDeep"
  public static let tooLarge = "json.tooLarge"
  public static let trailingData = "json.trailingData"
}
