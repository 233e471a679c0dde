//! Every word of the contract's tables is answered, linearised and with replicates.

use analysis::estimation::{self, EstimationError};

use super::{CLUSTERS, plan, table};

/// One request a word of the contract.
fn requests() -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    let mut add = |statistic: &str, own: &str| {
        list.push(format!(r#"{{"id": "r{}", "statistic": "{statistic}", {own}}}"#, list.len()));
    };
    for statistic in ["mean", "total"] {
        for more in [
            r#""deff": true"#,
            r#""deff": "replace""#,
            r#""interval": "z""#,
            r#""df": 3"#,
            r#""by": ["sex", "wave"]"#,
            r#""where": "x > 4""#,
            r#""missing": "drop""#,
            r#""level": 0.9, "covariance": true"#,
        ] {
            add(statistic, &format!(r#""of": ["y", "sex"], {more}"#));
        }
    }
    for method in ["logit", "likelihood", "asin", "beta", "mean", "xlogit", "wilson"] {
        add("proportion", &format!(r#""of": "y > 4", "method": "{method}""#));
    }
    for more in [r#""deff": true"#, r#""deff": "replace""#, r#""separate": true"#] {
        add("ratio", &format!(r#""numerator": ["y", "x"], "denominator": "x", {more}"#));
    }
    for rule in ["math", "school", "hf1", "hf2", "hf3", "hf4", "hf5", "hf6", "hf7", "hf8", "hf9"] {
        for ci in ["mean", "beta", "xlogit", "asin", "score"] {
            add("quantile", &format!(r#""of": "y", "probs": [0.25, 0.5], "rule": "{rule}", "ci": "{ci}""#));
        }
    }
    add("variance", r#""of": ["y", "x"]"#);
    add("cdf", r#""of": "y", "at": [3, 5]"#);
    add("table", r#""rows": "sex", "cols": "wave""#);
    for test in ["F", "Chisq", "Wald", "adjWald", "lincom", "saddlepoint"] {
        add("independence", &format!(r#""rows": "sex", "cols": "wave", "test": "{test}""#));
    }
    add("ttest", r#""of": "y""#);
    add("ttest", r#""of": "y", "groups": "sex""#);
    for (method, groups) in
        [("wilcoxon", "sex"), ("vanderWaerden", "sex"), ("median", "wave"), ("KruskalWallis", "stratum")]
    {
        add("ranktest", &format!(r#""of": "y", "groups": "{groups}", "method": "{method}""#));
    }
    for formula in [
        "y ~ x + sex",
        "y ~ x - 1",
        "y ~ 0 + sex",
        "y ~ x : sex",
        "y ~ x * sex",
        "y ~ (x + sex)^2",
        "y ~ factor(wave)",
        "y ~ I(x / 2) + log(x)",
        "y ~ sex + offset(x)",
        "y ~ 1",
    ] {
        add("regression", &format!(r#""formula": "{formula}""#));
    }
    for family in ["binomial", "quasibinomial"] {
        add("regression", &format!(r#""formula": "I(y > 4) ~ sex", "family": "{family}""#));
    }
    for link in ["logit", "probit", "cloglog"] {
        add(
            "regression",
            &format!(r#""formula": "I(y > 4) ~ sex", "family": {{"name": "binomial", "link": "{link}"}}"#),
        );
    }
    for family in ["poisson", "quasipoisson"] {
        add("regression", &format!(r#""formula": "y ~ sex", "family": "{family}""#));
    }
    add("icc", r#""of": ["y", "sex"], "groups": "psu", "within": "stratum""#);
    list.push(r#"{"id": "base", "statistic": "mean", "of": "y", "by": "sex"}"#.into());
    list.push(
        r#"{"id": "difference", "statistic": "contrast", "between": "base", "weights": {"y@sex=F": 1, "y@sex=M": -1}}"#
            .into(),
    );
    list.push(
        r#"{"id": "ratio", "statistic": "contrast", "between": "base", "expression": "exp(log(\"y@sex=F\") - log(\"y@sex=M\")) + sqrt(\"y@sex=F\"^2)"}"#
            .into(),
    );
    list
}

#[test]
fn every_statistic_of_the_contract_is_answered_whatever_the_errors_come_from() {
    let (mut answered, mut refused) = (0, Vec::new());
    for replicates in [
        "",
        r#""replicates": {"method": "jkn"},"#,
        r#""replicates": {"method": "bootstrap", "count": 40},"#,
        r#""replicates": {"method": "subbootstrap", "count": 40},"#,
        r#""replicates": {"method": "multistage_bootstrap", "count": 40},"#,
    ] {
        let list = requests().join(",\n");
        let text = format!(
            r#"{{"design": {{"strata": "stratum", "clusters": "psu", "weights": "w"}}, "types": {{"psu": "category"}}, {replicates} "requests": [{list}]}}"#
        );
        match estimation::estimate(&table(CLUSTERS), &plan(&text)) {
            Ok(results) => answered += results.results.len(),
            Err(error) => refused.push(format!("{replicates} {error}")),
        }
    }
    println!("{} requests five times: {answered} rows, refused {}", requests().len(), refused.len());
    assert!(refused.is_empty(), "{refused:#?}");
}

/// Replicates of quantiles for the replicates that allow them.
#[test]
fn replicate_quantiles_are_answered_for_every_rule() {
    for rule in ["math", "school", "hf1", "hf2", "hf3", "hf4", "hf5", "hf6", "hf7", "hf8", "hf9"] {
        let text = format!(
            r#"{{"design": {{"strata": "stratum", "clusters": "psu", "weights": "w"}}, "replicates": {{"method": "subbootstrap", "count": 50}},
            "requests": [{{"id": "q", "statistic": "quantile", "of": "y", "probs": 0.5, "ci": "quantile", "rule": "{rule}"}}]}}"#
        );
        let results = estimation::estimate(&table(CLUSTERS), &plan(&text)).expect("an answer");
        assert!(results.results[0].se.is_some(), "{rule}");
    }
}

/// What is misspelt is answered with what is offered.
#[test]
fn an_unknown_word_is_answered_with_those_that_are_known() {
    for (request, offered) in [
        (
            r#""statistic": "quantile", "of": "y", "probs": 0.5, "ci": "wald""#,
            "mean, beta, xlogit, asin, score, quantile",
        ),
        (r#""statistic": "quantile", "of": "y", "probs": 0.5, "rule": "hf10""#, "hf9"),
        (r#""statistic": "proportion", "of": "y > 4", "method": "wald""#, "wilson"),
        (r#""statistic": "ranktest", "of": "y", "groups": "sex", "method": "sign""#, "KruskalWallis"),
        (r#""statistic": "independence", "rows": "sex", "cols": "wave", "test": "G""#, "saddlepoint"),
        (r#""statistic": "regression", "formula": "y ~ x", "family": "gamma""#, "quasipoisson"),
        (r#""statistic": "icc", "of": "y""#, "`groups` is needed"),
    ] {
        let text = format!(r#"{{"design": {{"weights": "w"}}, "requests": [{{"id": "r", {request}}}]}}"#);
        let error: EstimationError =
            estimation::estimate(&table(CLUSTERS), &plan(&text)).expect_err("a refusal");
        let told = error.to_string();
        assert!(told.contains("request `r`") && told.contains(offered), "{told}");
    }
}
