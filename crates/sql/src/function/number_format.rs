//! Numbers for people: FORMAT by a locale, FORMAT_BYTES, FORMAT_PICO_TIME.

use rustydb_value::{Decimal, ValueRef};

use super::{Call, Function, Invocation, each_string};
use crate::error::SqlError;
use crate::expr::types::{Class, Coercibility, ExprType, MAX_SCALE};
use crate::expr::vector::Vector;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new(
        "format",
        (2, 3),
        "A number with so many decimals, its digits in groups",
        bind_format,
        format,
    ),
    Function::new("format_bytes", (1, 1), "A number of bytes in a fitting unit", bind_unit, |r, a, n| {
        in_units(r, a, n, "bytes", 4, &BYTES)
    }),
    Function::new(
        "format_pico_time",
        (1, 1),
        "A number of picoseconds in a fitting unit",
        bind_unit,
        |r, a, n| in_units(r, a, n, "ps", 3, &PICOSECONDS),
    ),
];

/// How a locale writes numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    point: u8,
    /// Between groups; None writes digits without groups.
    group: Option<u8>,
    /// Groups of two beyond the first of three, as in India.
    indian: bool,
}

const ENGLISH: Style = Style { point: b'.', group: Some(b','), indian: false };

/// The locales that write otherwise than English, by kind.
const STYLES: [(Style, &str); 7] = [
    (
        Style { point: b',', group: Some(b'.'), indian: false },
        "be_BY da_DK de_BE de_DE de_LU es_AR es_BO es_CL es_CO es_EC es_ES es_PY es_UY es_VE fo_FO hu_HU \
         id_ID is_IS lt_LT mn_MN nb_NO no_NO ro_RO ru_UA sq_AL tr_TR uk_UA vi_VN",
    ),
    (
        Style { point: b',', group: None, indian: false },
        "ca_ES de_AT el_GR eu_ES fr_BE fr_CA fr_CH fr_FR fr_LU gl_ES hr_HR it_IT nl_BE nl_NL pl_PL pt_BR \
         pt_PT sl_SI",
    ),
    (
        Style { point: b',', group: Some(b' '), indian: false },
        "cs_CZ es_CR et_EE fi_FI lv_LV mk_MK ru_RU sk_SK sv_FI sv_SE",
    ),
    (Style { point: b',', group: Some(0), indian: false }, "bg_BG"),
    (Style { point: b',', group: Some(b'\''), indian: false }, "it_CH rm_CH"),
    (Style { point: b'.', group: Some(b'\''), indian: false }, "de_CH"),
    (Style { point: b'.', group: Some(b','), indian: true }, "en_IN ta_IN te_IN"),
];

/// Locales without groups whose point is English, and those that write as English does.
const PLAIN: &str = "ar_SA sr_RS sr_YU";
const AS_ENGLISH: &str = "ar_AE ar_BH ar_DZ ar_EG ar_IN ar_IQ ar_JO ar_KW ar_LB ar_LY ar_MA ar_OM ar_QA ar_SD \
                          ar_SY ar_TN ar_YE en_AU en_CA en_GB en_NZ en_PH en_US en_ZA en_ZW es_DO es_GT es_HN \
                          es_MX es_NI es_PA es_PE es_PR es_SV es_US gu_IN he_IL hi_IN ja_JP ko_KR ms_MY th_TH \
                          ur_PK zh_CN zh_HK zh_TW";

fn style(locale: &str) -> Option<Style> {
    let in_list = |list: &str| list.split_ascii_whitespace().any(|name| name.eq_ignore_ascii_case(locale));
    if in_list(AS_ENGLISH) {
        return Some(ENGLISH);
    }
    if in_list(PLAIN) {
        return Some(Style { group: None, ..ENGLISH });
    }
    STYLES.iter().find(|(_, names)| in_list(names)).map(|(style, _)| *style)
}

fn bind_format(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let length = call.ty(0).text_length();
    let length = length.saturating_add(length / 3).saturating_add(u32::from(MAX_SCALE) + 2);
    if !matches!(call.class(0), Class::Int | Class::UInt | Class::Decimal) || call.ty(0).is_member() {
        call.to_double(0);
    }
    call.to_int(1);
    if call.count() == 3 {
        call.to_string(2);
    }
    Ok(ExprType::text(length, call.session.settings.collation_connection, Coercibility::Coercible))
}

/// The digits of a double with so many decimals, rounded as MySQL rounds doubles.
fn rounded(value: f64, decimals: usize) -> String {
    let power = 10f64.powi(decimals as i32);
    let scaled = value * power;
    let value = if scaled.is_finite() { scaled.round_ties_even() / power } else { value };
    if value.abs() < 1e15 {
        return format!("{value:.decimals$}");
    }
    // Beyond what a double holds exactly, its shortest digits and zeros.
    let zeros = "0".repeat(decimals);
    let point = if decimals > 0 { "." } else { "" };
    format!("{value}{point}{zeros}")
}

/// Writes digits in a style; `digits` is a sign, digits, a point and digits.
fn write_styled(digits: &str, style: Style, out: &mut Vec<u8>) {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    out.extend_from_slice(sign.as_bytes());
    let count = whole.len();
    for (at, digit) in whole.bytes().enumerate() {
        let left = count - at;
        let boundary = left < count
            && match style.indian {
                true => left == 3 || (left > 3 && (left - 3).is_multiple_of(2)),
                false => left.is_multiple_of(3),
            };
        if boundary && let Some(group) = style.group {
            out.push(group);
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push(style.point);
        out.extend_from_slice(fraction.as_bytes());
    }
}

fn format(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [number, decimals, ..] = args else { return Ok(Vector::null(rows)) };
    let Some(ty) = run.arg_ty(0).cloned() else { return Ok(Vector::null(rows)) };
    let inputs = [number.clone(), decimals.clone()];
    each_string(run, &inputs, rows, |run, row, out| {
        let style = match args.get(2) {
            None => ENGLISH,
            Some(locale) => {
                let name = if locale.is_null(row) {
                    "NULL".into()
                } else {
                    String::from_utf8_lossy(locale.bytes(row)).into_owned()
                };
                style(&name).unwrap_or_else(|| {
                    run.warn(SqlError::unknown_locale(name));
                    ENGLISH
                })
            }
        };
        let decimals = decimals.as_ints().at(row).clamp(0, i64::from(MAX_SCALE)) as u8;
        let digits = match ty.class() {
            Class::Double => rounded(number.as_doubles().at(row), usize::from(decimals)),
            class => {
                let exact = match class {
                    Class::Int => Decimal::from(number.as_ints().at(row)),
                    Class::UInt => Decimal::from(number.as_uints().at(row)),
                    _ => super::math::decimal_at(number, row, &ty),
                };
                let exact = exact.round(decimals).map_err(|_| run.out_of_range())?;
                let text = ValueRef::Decimal(exact).to_text();
                let mut text = String::from_utf8_lossy(&text).into_owned();
                if exact.scale() < decimals {
                    if exact.scale() == 0 {
                        text.push('.');
                    }
                    text.extend(std::iter::repeat_n('0', usize::from(decimals - exact.scale())));
                }
                text
            }
        };
        write_styled(&digits, style, out);
        Ok(true)
    })
}

/// Units and their sizes, the largest first.
const BYTES: [(f64, &str); 6] = [
    (1_152_921_504_606_846_976.0, "EiB"),
    (1_125_899_906_842_624.0, "PiB"),
    (1_099_511_627_776.0, "TiB"),
    (1_073_741_824.0, "GiB"),
    (1_048_576.0, "MiB"),
    (1024.0, "KiB"),
];
const PICOSECONDS: [(f64, &str); 7] =
    [(86_400e12, "d"), (3_600e12, "h"), (60e12, "min"), (1e12, "s"), (1e9, "ms"), (1e6, "us"), (1e3, "ns")];

fn bind_unit(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_double(0);
    Ok(ExprType::text(11, call.session.settings.collation_connection, Coercibility::Coercible))
}

fn in_units(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    smallest: &str,
    width: usize,
    units: &[(f64, &str)],
) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    each_string(run, args, rows, |_, row, out| {
        let value = a.as_doubles().at(row);
        let text = match units.iter().find(|(size, _)| value.abs() >= *size) {
            None => format!("{:>width$} {smallest}", value as i64),
            Some((size, unit)) => {
                let amount = value / size;
                if amount.abs() >= 100_000.0 {
                    let shown = format!("{amount:.2e}");
                    let (digits, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
                    format!("{digits}e+{exponent:0>2} {unit}")
                } else {
                    format!("{amount:.2} {unit}")
                }
            }
        };
        out.extend_from_slice(text.as_bytes());
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_groups_its_way() {
        let of = |locale: &str| {
            let mut out = Vec::new();
            write_styled("-1234567890.5", style(locale).unwrap(), &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(of("en_US"), "-1,234,567,890.5");
        assert_eq!(of("DE_de"), "-1.234.567.890,5");
        assert_eq!(of("fr_FR"), "-1234567890,5");
        assert_eq!(of("en_IN"), "-1,23,45,67,890.5");
        assert_eq!(of("ar_SA"), "-1234567890.5");
        assert_eq!(of("de_CH"), "-1'234'567'890.5");
        assert!(style("xx").is_none() && style("").is_none());
    }
}
