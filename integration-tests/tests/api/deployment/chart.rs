//! The Helm chart: rendered by Helm's own code and held against the schemas of Kubernetes, by `clients/chart.py`.

use super::dashboards::queries;
use super::promql::metric_names;
use burgee_integration_tests::clients::ClientProgram;
use std::collections::BTreeSet;

#[test]
fn the_chart_renders_what_kubernetes_accepts() {
    let mut asked = Vec::new();
    ClientProgram::python("chart.py").expect_checks(200, |line| {
        asked.extend(line.strip_prefix("query: ").map(metric_names));
    });
    // Those of the dashboards are held against a running Burgee.
    let known: BTreeSet<String> = queries()
        .iter()
        .flat_map(|query| metric_names(&query.expression))
        .collect();
    assert_eq!(asked.len(), 2);
    for name in asked.into_iter().flatten() {
        assert!(known.contains(&name), "a scaler asks for {name}");
    }
}
