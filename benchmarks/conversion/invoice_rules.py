"""A rule set of the size and the manner of an invoice standard's: 44 rules and some 930 asserts in three patterns."""

NAMESPACES = {
    "inv": "urn:example:billing:Invoice-1",
    "agg": "urn:example:billing:Aggregates-1",
    "bas": "urn:example:billing:Basics-1",
    "xs": "http://www.w3.org/2001/XMLSchema",
    "u": "urn:example:billing:functions",
}
_CATEGORIES = ("AA", "AE", "BB", "EE", "GG", "IC", "IG", "IP", "OO", "SS", "ZZ")
_AMOUNTS = ("LineTotal", "AllowanceTotal", "ChargeTotal", "Exclusive", "Inclusive", "Prepaid", "Rounding", "Payable")
_GROUPS = ("Delivery", "PaymentMeans", "PaymentTerms", "Signature", "Contract", "Project", "Payee", "TaxPoint")
_LEAVES = ("ID", "Name", "Note", "Code", "Date", "Time", "Text", "Quantity", "Amount", "Percent", "Type", "URI")
_CODE_LISTS = 30
_PER_CATEGORY = 10
_CODES_IN_A_LIST = 250
_UNUSED = 760


def schema() -> str:
    """Return the rule set."""
    declared = "".join(f'<ns prefix="{prefix}" uri="{uri}"/>' for prefix, uri in NAMESPACES.items())
    return (
        f'<schema xmlns="http://purl.oclc.org/dsdl/schematron" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"'
        f' queryBinding="xslt2">{declared}'
        '<let name="currency" value="/*/bas:Currency"/><let name="country" value="if (/*/agg:Seller/bas:Country) then'
        " upper-case(/*/agg:Seller/bas:Country) else 'XX'\"/>"
        '<xsl:key name="lines" match="agg:Line" use="bas:ID"/>'
        '<xsl:function name="u:check-digit" as="xs:boolean"><xsl:param name="value"/>'
        '<xsl:sequence select="sum(for $i in 1 to string-length($value) return ($i mod 2 * 2 + 1) *'
        ' xs:integer(substring($value, $i, 1))) mod 10 = 0"/></xsl:function>'
        f'<pattern id="model">{_model()}</pattern><pattern id="syntax">{_syntax()}</pattern>'
        f'<pattern id="codes">{_codes()}</pattern></schema>'
    )


def _assert(name: str, test: str, flag: str = "fatal") -> str:
    escaped = test.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return f'<assert id="{name}" flag="{flag}" test="{escaped}">[{name}]-What {name} demands.</assert>'


def _model() -> str:
    totals = "".join(
        _assert(f"DEC-{name}", f"string-length(substring-after(bas:{name}, '.')) <= 2")
        + _assert(f"SET-{name}", f"not(bas:{name}) or bas:{name} castable as xs:decimal")
        for name in _AMOUNTS
    )
    totals += _assert(
        "SUM-1",
        "xs:decimal(bas:LineTotal) = (round(sum(//agg:Line/xs:decimal(bas:Amount)) * 10 * 10) div 100)",
    ) + _assert("SUM-2", "xs:decimal(bas:Payable) = xs:decimal(bas:Inclusive)")
    categories = "".join(
        _assert(
            f"CAT-{code}-{number}",
            f"(exists(//agg:Category[agg:Scheme/normalize-space(upper-case(bas:ID)) = 'VAT']/bas:ID"
            f"[normalize-space(.) = '{code}']) and count(agg:Tax/agg:Subtotal/agg:Category/bas:ID"
            f"[normalize-space(.) = '{code}']) >= {1 - number % 2}) or not(//agg:Category"
            f"[agg:Scheme/normalize-space(upper-case(bas:ID)) = 'VAT']/bas:ID[normalize-space(.) = '{code}'])",
        )
        for code in _CATEGORIES
        for number in range(_PER_CATEGORY)
    )
    root = "".join(_assert(f"BR-{name}", f"bas:{name} != ''") for name in ("ID", "Date", "Currency", "Type"))
    line = "".join(
        _assert(f"LINE-{name}", f"exists(bas:{name}) and normalize-space(bas:{name}) != ''")
        for name in ("ID", "Quantity", "Amount", "Name")
    ) + _assert("LINE-KEY", "count(key('lines', bas:ID)) = 1")
    return (
        f'<rule context="agg:Totals">{totals}</rule><rule context="/inv:Invoice">{root}{categories}</rule>'
        f'<rule context="agg:Line">{line}</rule>'
        + "".join(
            f'<rule context="//agg:{group}[bas:ID]">{_assert(f"G-{group}", "$currency != $country")}</rule>'
            for group in _GROUPS
        )
        + f'<rule context="agg:Seller/bas:EndpointID">{_assert("CHECK", "u:check-digit(.)")}</rule>'
    )


def _syntax() -> str:
    paths = [f"agg:{group}/agg:{inner}/bas:{leaf}" for group in _GROUPS for inner in _GROUPS for leaf in _LEAVES][
        :_UNUSED
    ]
    return (
        '<rule context="/inv:Invoice">'
        + "".join(_assert(f"CR-{number:03}", f"not({path})", "warning") for number, path in enumerate(paths))
        + "</rule>"
    )


def _codes() -> str:
    codes = " ".join(f"C{number:03}" for number in range(_CODES_IN_A_LIST))
    return "".join(
        f'<rule context="bas:Code{number}">'
        + _assert(
            f"CL-{number}",
            f"((not(contains(normalize-space(.), ' ')) and contains(' {codes} ',"
            " concat(' ', normalize-space(.), ' '))))",
        )
        + "</rule>"
        for number in range(_CODE_LISTS)
    )


def invoice(lines: int = 18) -> str:
    """Return an invoice that all of it accepts; of about 10 kB with 18 lines."""
    declared = " ".join(f'xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in ("inv", "agg", "bas"))
    category = (
        "<agg:Category><bas:ID>SS</bas:ID><bas:Percent>20</bas:Percent>"
        "<agg:Scheme><bas:ID>VAT</bas:ID></agg:Scheme></agg:Category>"
    )
    body = "".join(
        f'<agg:Line><bas:ID>{number}</bas:ID><bas:Quantity unitCode="C62">{number + 1}</bas:Quantity>'
        f'<bas:Amount currencyID="EUR">10.00</bas:Amount><bas:Code{number}>C0{number:02}</bas:Code{number}>'
        f"<bas:Name>Article number {number} of this invoice, described at some length</bas:Name>"
        f"<bas:Description>Delivered as ordered, packed in boxes of twelve</bas:Description>{category}</agg:Line>"
        for number in range(lines)
    )
    return (
        f"<inv:Invoice {declared}><bas:ID>4711</bas:ID><bas:Date>2026-01-31</bas:Date><bas:Type>380</bas:Type>"
        "<bas:Currency>EUR</bas:Currency><agg:Seller><bas:EndpointID>1700</bas:EndpointID>"
        "<bas:Country>de</bas:Country></agg:Seller>"
        f'<agg:Tax><agg:Subtotal>{category}</agg:Subtotal></agg:Tax><agg:Totals><bas:LineTotal currencyID="EUR">'
        f"{lines * 10}.00</bas:LineTotal><bas:Inclusive>{lines * 12}.00</bas:Inclusive>"
        f"<bas:Payable>{lines * 12}.00</bas:Payable></agg:Totals>{body}</inv:Invoice>"
    )
