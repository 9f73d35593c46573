use super::Graph;

fn graph(references: &[&[usize]]) -> Graph {
    Graph::new(references.iter().map(|list| list.to_vec()))
}

#[test]
fn stages_put_references_first() {
    type Case = (
        &'static str,
        &'static [&'static [usize]],
        &'static [Option<usize>],
        &'static [usize],
    );
    let cases: [Case; 6] = [
        ("nothing", &[], &[], &[]),
        ("no references", &[&[], &[]], &[Some(0), Some(0)], &[0, 1]),
        (
            "a chain",
            &[&[1], &[2], &[]],
            &[Some(2), Some(1), Some(0)],
            &[2, 1, 0],
        ),
        (
            "a diamond, with a reference told twice",
            &[&[1, 2, 1], &[3], &[3], &[]],
            &[Some(2), Some(1), Some(1), Some(0)],
            &[3, 1, 2, 0],
        ),
        (
            "a circle, what is behind it, and what is not",
            &[&[1], &[0], &[1], &[], &[3]],
            &[None, None, None, Some(0), Some(1)],
            &[3, 4],
        ),
        ("itself", &[&[0], &[]], &[None, Some(0)], &[1]),
    ];
    for (case, references, stages, ready) in cases {
        let order = graph(references).order();
        assert_eq!(order.stages, stages, "{case}");
        assert_eq!(order.ready, ready, "{case}");
    }
}

#[test]
fn marks_spread_to_whatever_refers() {
    let graph = graph(&[&[1], &[2], &[], &[2, 4], &[]]);
    let marked = |place: usize| graph.spread_to_referrers((0..5).map(|n| n == place).collect());
    assert_eq!(marked(2), [true, true, true, true, false]);
    assert_eq!(marked(4), [false, false, false, true, true]);
    assert_eq!(marked(0), [true, false, false, false, false]);
}

#[test]
fn marks_spread_through_circles() {
    let graph = graph(&[&[1], &[0, 2], &[]]);
    assert_eq!(
        graph.spread_to_referrers(vec![false, false, true]),
        [true, true, true]
    );
}

#[test]
fn closures_hold_all_that_is_reached() {
    let graph = graph(&[&[1], &[2], &[], &[3, 2], &[]]);
    assert_eq!(graph.closure([0]), [0, 1, 2]);
    assert_eq!(graph.closure([3, 4]), [2, 3, 4]);
    assert_eq!(graph.closure([]), [0; 0]);
}

#[test]
fn each_circle_is_told_once() {
    let graph = graph(&[&[1], &[2], &[1], &[3], &[], &[0, 4]]);
    assert_eq!(graph.circles(&graph.order()), [vec![1, 2], vec![3]]);
}

#[test]
fn references_outside_the_list_are_ignored() {
    assert_eq!(graph(&[&[7]]).order().ready, [0]);
}
