/// A function of the expression language that RFC 9535 does not have. Its own five (`length`, `count`, `value`, `match`,
/// `search`) are parts of the queries.
enum ExpressionFunction: String, Sendable, CaseIterable {
  // Over the values that a query finds, or the elements of a computed list.
  case list, first, sum, min, max, avg, join, distinct
  // On text.
  case upper, lower, trim, replace, split, text
  // On numbers.
  case number, round, floor, ceil, abs
  // On time.
  case seconds, timestamp, duration

  enum Parameter: Sendable {
    /// A query that may find any number of values, or a computed list.
    case nodes
    case value
    case text
    case number
    /// A text or a number that may be left out.
    case optionalText
    case optionalNumber

    var isNodes: Bool { if case .nodes = self { true } else { false } }

    var isOptional: Bool {
      switch self {
      case .nodes, .value, .text, .number: false
      case .optionalText, .optionalNumber: true
      }
    }
  }

  var parameters: [Parameter] {
    switch self {
    case .list, .first, .sum, .min, .max, .avg, .distinct: [.nodes]
    case .join: [.nodes, .optionalText]
    case .upper, .lower, .trim, .seconds, .duration: [.text]
    case .split: [.text, .text]
    case .replace: [.text, .text, .text]
    case .text, .number: [.value]
    case .round: [.number, .optionalNumber]
    case .floor, .ceil, .abs, .timestamp: [.number]
    }
  }

  /// True when the function has a value also when its query finds nothing.
  var hasValueOfNothing: Bool {
    switch self {
    case .list, .sum, .join, .distinct: true
    case .first, .min, .max, .avg, .upper, .lower, .trim, .replace, .split, .text, .number, .round, .floor, .ceil, .abs,
      .seconds, .timestamp, .duration:
      false
    }
  }

  /// The call as the reference writes it.
  var form: String {
    switch self {
    case .list, .first, .sum, .min, .max, .avg, .distinct: "\(rawValue)(query)"
    case .join: "join(query, 'separator')"
    case .upper, .lower, .trim: "\(rawValue)(text)"
    case .replace: "replace(text, 'old', 'new')"
    case .split: "split(text, 'separator')"
    case .text: "text(value)"
    case .number: "number(text)"
    case .round: "round(number, digits)"
    case .floor, .ceil, .abs: "\(rawValue)(number)"
    case .seconds: "seconds('2026-01-31T12:00:00Z')"
    case .timestamp: "timestamp(seconds)"
    case .duration: "duration('24h')"
    }
  }

  /// The names of all functions, those of RFC 9535 first.
  static let allNames = ["length", "count", "value", "match", "search"] + allCases.map(\.rawValue)

  /// What to write for a function of another language, by its name in lower case.
  static let advice = [
    "now": noClock, "today": noClock, "date": noClock, "currenttime": noClock, "timestampnow": noClock,
    "uuid": noChance, "uuidv4": noChance, "newuuid": noChance, "guid": noChance, "random": noChance, "rand": noChance,
    "contains": "Write search(text, 'part'), or input.list[?@ == …] for an element",
    "includes": "Write search(text, 'part'), or input.list[?@ == …] for an element",
    "startswith": "Write match(text, 'start.*')", "endswith": "Write match(text, '.*end')",
    "matches": "Write match(text, 'pattern') or search(text, 'pattern')",
    "test": "Write match(text, 'pattern') or search(text, 'pattern')",
    "regex": "Write match(text, 'pattern') or search(text, 'pattern')",
    "len": "Write length(value) for one text or list, count(query) for what a query finds",
    "size": "Write length(value) for one text or list, count(query) for what a query finds",
    "strlen": "Write length(text)",
    "if": noChoice, "iif": noChoice, "ifelse": noChoice, "case": noChoice, "cond": noChoice,
    "default": otherValue, "coalesce": otherValue, "ifnull": otherValue, "nvl": otherValue, "orelse": otherValue,
    "exists": "A query alone asks whether it is there", "has": "A query alone asks whether it is there",
    "isset": "A query alone asks whether it is there", "isempty": "Write length(value) == 0",
    "concat": "Texts are joined by writing them together, as ${input.a}-${input.b}; a list by join(…)",
    "format": "Texts are joined by writing them together, as ${input.a}-${input.b}",
    "tostring": "Write text(value)", "string": "Write text(value)", "str": "Write text(value)",
    "json": "Write text(value)", "tojson": "Write text(value)",
    "tonumber": "Write number(text)", "int": "Write number(text)", "parseint": "Write number(text)",
    "float": "Write number(text)", "parsefloat": "Write number(text)",
    "any": "Write count(input.list[?@.ok == true]) > 0", "all": "Write count(input.list[?@.ok != true]) == 0",
    "map": "A query takes a member of each: list(input.list[*].id)",
    "filter": "A query filters: list(input.list[?@.ok == true])",
    "mean": "Write avg(query)", "average": "Write avg(query)", "unique": "Write distinct(query)",
    "last": "Write [-1], as input.list[-1]",
    "success": ofStatus, "failure": ofStatus, "always": ofStatus, "cancelled": ofStatus,
    "defined": asksAlone, "isdefined": asksAlone, "notnull": asksAlone, "present": asksAlone,
    "isnull": "Write == null; a query alone asks whether it is there", "empty": "Write length(value) == 0",
    "substring": noPart, "substr": noPart, "slice": noPart, "left": noPart, "right": noPart, "mid": noPart,
    "padleft": noPart, "padstart": noPart, "padright": noPart, "lpad": noPart, "zfill": noPart,
    "adddays": ofTime, "addhours": ofTime, "dateadd": ofTime, "plusdays": ofTime, "formatdate": ofTime,
    "parsedate": ofTime, "strftime": ofTime, "dateformat": ofTime,
    "pow": ofNumbers, "power": ofNumbers, "sqrt": ofNumbers, "log": ofNumbers, "mod": ofNumbers,
    "base64": noCode, "base64encode": noCode, "urlencode": noCode, "encodeuricomponent": noCode, "hash": noCode,
    "md5": noCode, "sha256": noCode, "encode": noCode,
    "sort": noOrder, "sortby": noOrder, "orderby": noOrder, "reverse": noOrder, "keys": noOrder, "values": noOrder,
    "merge": noOrder, "flatten": noOrder, "groupby": noOrder, "zip": noOrder,
    "typeof": "The schema of the input says which type a value has", "fromjson": "An answer in JSON is read already",
    "uppercase": "Write upper(text)", "touppercase": "Write upper(text)", "toupper": "Write upper(text)",
    "lowercase": "Write lower(text)", "tolowercase": "Write lower(text)", "tolower": "Write lower(text)",
  ]
  private static let ofStatus =
    "A step runs when the steps before it have ended well; a \"when\" may ask more, as $.steps.ID.status == 'failed'"
  private static let asksAlone = "A query alone asks whether it is there"
  private static let noPart = "No function takes a part of a text or fills it up: the service that gets it can"
  private static let ofTime = "Write timestamp(seconds(time) + duration('24h'))"
  private static let ofNumbers = "The operators are + - * / %"
  private static let noCode =
    "No function encodes: a path encodes its values by itself, and the service can do the rest"
  private static let noOrder = "No function changes the order or the form of a list: the service that gets it can"
  private static let noClock = "Expressions have no clock: read saga.startedAt or steps.ID.endedAt"
  private static let noChance =
    "Expressions have no chance: steps.ID.uuid is a UUID for the step, the same in each attempt"
  private static let noChoice = "There is no if: write two steps with a \"when\" each, or ?? for a missing value"
  private static let otherValue = "Write ??, as input.ward ?? 'W01'"
}
