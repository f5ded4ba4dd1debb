# Checks that doc/python_map.md lists every name that the public headers put into namespace plait.
import re

from source import run, sources, split

PAGE = "doc/python_map.md"
TEMPLATE = re.compile(r"^\s*template\s*<")
NAMESPACE = re.compile(r"^\s*(?:inline\s+)?namespace\s+([\w:]+)\s*$")
TYPE = re.compile(
    r"^\s*(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(?:PLAIT_\w+\s+)?(\w+)"
)
CONCEPT = re.compile(r"^\s*concept\s+(\w+)")
ALIAS = re.compile(r"^\s*using\s+(\w+)\s*=")
NO_NAME = re.compile(r"^\s*(?:using|static_assert|extern|friend|typedef|#|namespace\s+\w+\s*=)")
NOT_FUNCTIONS = {"requires", "decltype", "noexcept", "explicit", "alignas", "sizeof", "operator"}


def skip(text, start, opening, closing):
    """The index behind the bracket that closes the one at `start`."""
    depth = 0
    for index in range(start, len(text)):
        if text[index] == opening:
            depth += 1
        elif text[index] == closing and text[index - 1 : index + 1] != "->":
            depth -= 1
            if depth == 0:
                return index + 1
    return len(text)


def without_template_heads(declaration):
    while TEMPLATE.match(declaration):
        declaration = declaration[skip(declaration, declaration.index("<"), "<", ">") :]
    return declaration


def declared_name(declaration):
    """The name that a declaration at namespace level makes known; None for a specialisation,
    a definition of what a class declared, an operator."""
    plain = without_template_heads(declaration)
    for pattern in (TYPE, CONCEPT, ALIAS):
        if match := pattern.match(plain):
            is_specialisation = plain[match.end() :].lstrip().startswith("<")
            return None if is_specialisation else match[1]
    if NO_NAME.match(plain) or re.search(r"\boperator\b", plain.split("(")[0]):
        return None
    while "{" in plain and (shorter := re.sub(r"\{[^{}]*\}", " ", plain)) != plain:
        plain = shorter
    function = function_name(plain)
    return variable_name(plain) if function is None else function


def function_name(plain):
    """The name before the parameters; "" where that is a member's, None where it is no function."""
    end = 0
    for match in re.finditer(r"([\w:~>]*)\s*\(", plain):
        if "=" in plain[: match.start()]:
            return None
        name = match[1].split("::")
        if match.start() < end or name[-1] in NOT_FUNCTIONS or not name[-1].isidentifier():
            end = max(end, skip(plain, match.end() - 1, "(", ")"))
        else:
            return name[-1] if len(name) == 1 else ""
    return None


def variable_name(plain):
    head = re.split(r"[={]", plain)[0]
    match = re.search(r"[\s>&*](\w+)\s*(?:\[\w*\]\s*)?$", head)
    return match[1] if match else None


def declarations(code, scope=""):
    """(scope, declaration) of everything at namespace level, bodies left out."""
    start = index = 0
    while index < len(code):
        character = code[index]
        if character == "(":
            index = skip(code, index, "(", ")")
        elif character == ";":
            yield scope, code[start:index]
            start = index = index + 1
        elif character == "{":
            head, end = code[start:index], skip(code, index, "{", "}")
            if match := NAMESPACE.match(head):
                inner = f"{scope}::{match[1]}".strip(":")
                yield from declarations(code[index + 1 : end - 1], inner)
                start = end
            elif is_whole(head):
                yield scope, head
                start = end
            index = end
        else:
            index += 1


def is_whole(head):
    """Does the brace that follows open a function's body? Else the declaration ends at a semicolon,
    or the brace belongs to a requires expression in the middle of it."""
    plain = without_template_heads(head)
    for match in re.finditer(r"\brequires\s*(?=\(|$)", plain):
        if not plain[skip(plain, match.end(), "(", ")") :].strip():
            return False
    return not (TYPE.match(plain) or re.search(r"=\s*$", plain))


def public_names(root):
    """{name: file} of what the public headers export."""
    names = {}
    for file in sources(root, "include/plait", suffixes=(".hpp",)):
        if "detail" in file.parts:
            continue
        lines = [line.code for line in split(file.read_text())]
        code = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
        for scope, declaration in declarations(code):
            is_ours = scope.split("::")[0] == "plait" and "detail" not in scope
            name = declared_name(re.sub(r"\[\[.*?\]\]", " ", declaration)) if is_ours else None
            if name:
                names.setdefault(name, file.relative_to(root))
    return names


def check(root):
    page = root / PAGE
    if not page.exists():
        return [f"{PAGE} is missing"]
    listed = set(re.findall(r"\w+", page.read_text()))
    names = public_names(root)
    missing = [name for name in names if name not in listed]
    return [f"{names[name]}: {PAGE} does not list {name}" for name in missing]


def header(text):
    text = "namespace plait {\n" + text + "\n}\n"
    return {"include/plait/core/a.hpp": text, PAGE: "| `Listed` |"}


T = "template <class T>\n"
LOOP = {"include/plait/b.hpp": "namespace plait::aio { class New; }", PAGE: ""}
FOREIGN = {"include/plait/b.hpp": "namespace boost { class New; }", PAGE: ""}
CASES = [
    ("a class", header("class New { int member; void method(); };"), "does not list New"),
    ("a listed class", header("class Listed { int member; void method(); };"), None),
    ("a template", header("template <class T = A<B<int>>>\nstruct New : Base { };"), "list New"),
    ("a specialisation", header("template <>\nstruct New<int> { int x; };"), None),
    ("an enum", header("enum class New { a, b };\nusing enum New;"), "list New"),
    ("an alias", header("using New = std::vector<int>;"), "list New"),
    ("a concept", header(T + "concept New = requires(T t) { t.go(); };"), "list New"),
    ("a function", header("Listed<int> fresh(const std::string& name = {});"), "list fresh"),
    ("a body", header(T + "auto fresh(T t) -> int {\n  if (t) { return 1; }\n}"), "list fresh"),
    ("a constraint", header(T + "requires(ok<T>) Listed fresh(T t) { go(t); }"), "list fresh"),
    ("an expression", header(T + "requires requires(T t) { t(); } void fresh(T t);"), "fresh"),
    ("a constant", header("inline constexpr std::size_t fresh = 3;"), "list fresh"),
    ("a braced constant", header("inline constexpr New<int> fresh{};"), "list fresh"),
    ("a member's body", header(T + "inline int Listed<T>::body() const {\n  return 1;\n}"), None),
    ("an operator", header("bool operator==(const A&, const B&);"), None),
    ("a detail", header("namespace detail {\nclass New {};\n}"), None),
    ("another namespace", FOREIGN, None),
    ("the loop's", LOOP, "list New"),
    ("no page", {"include/plait/a.hpp": ""}, "missing"),
]

if __name__ == "__main__":
    run(check, CASES)
