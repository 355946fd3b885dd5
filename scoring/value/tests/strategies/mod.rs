//! The attacks: what is answered, and by whom.

use crate::world::{Answers, Guard, HONEST, OUTCOMES, Outcome, World, base, softmax, temper};

/// Index of the attacker, or of the miner that is copied.
const STAR: usize = 0;

/// Stake of the validators that the two-faced miner serves honestly.
const SERVED: f64 = 0.6;

/// Change of rewards, in %.
pub struct Gain {
    /// The attacker's; of its honest reward, or its share of all if that was nothing.
    pub attacker: f64,
    /// That of an honest miner.
    pub victim: f64,
    /// Distance of the copy to its original.
    pub distance: Option<f64>,
}

type Run = Box<dyn Fn(Guard) -> Gain>;

/// A named strategy.
pub struct Attack {
    pub name: String,
    run: Run,
}

impl Attack {
    pub fn run(&self, guard: Guard) -> Gain {
        (self.run)(guard)
    }
}

/// Every attack, in the order of the table.
pub fn attacks() -> Vec<Attack> {
    let mut all = Vec::new();
    let mut add = |name: &str, run: Run| all.push(Attack { name: name.to_owned(), run });
    add("1 exact clone", Box::new(|guard| farm(exact(1), guard)));
    add("4 exact clones", Box::new(|guard| farm(exact(4), guard)));
    for (label, sigma) in
        [("0.1 on the logits", 0.1), ("0.3", 0.3), ("0.5", 0.5), ("0.7", 0.7), ("1", 1.0), ("2", 2.0)]
    {
        add(&format!("noisy clone, σ = {label}"), Box::new(move |guard| farm(noisy(1, sigma), guard)));
    }
    add("farm of 4 noisy clones, σ = 0.5", Box::new(|guard| farm(noisy(4, 0.5), guard)));
    for beta in [0.7, 1.3] {
        let copy = move |guard| farm(vec![temper(&base().0.honest[STAR], beta)], guard);
        add(&format!("clone at β = {beta}"), Box::new(copy));
    }
    add("copier of another miner (its share of all)", Box::new(|guard| newcomer(copy_of(1), 99, guard)));
    add("the same, registered before its victim", Box::new(|guard| newcomer(copy_of(1), 0, guard)));
    add(
        "newcomer mixes the answers of two others (its share of all)",
        Box::new(|guard| newcomer(mixture(&[1, 2]), 99, guard)),
    );
    for (name, beta) in [
        ("modesty, β = 0.8", 0.8),
        ("exaggeration, β = 1.25", 1.25),
        ("exaggeration, β = 2", 2.0),
        ("point mass on the mode", 200.0),
    ] {
        add(name, Box::new(move |guard| lie(temper(&base().0.honest[STAR], beta), guard)));
    }
    for factor in [1.5, 1.0009] {
        add(&format!("total mass {factor}"), Box::new(move |guard| lie(inflated(factor), guard)));
    }
    add("memoriser of 10 % of the texts", Box::new(|guard| lie(memorised(1), guard)));
    add("the same, half of the texts from secret seeds", Box::new(|guard| lie(memorised(2), guard)));
    add("two-faced: honest to 60 % of the stake, noise to the rest", Box::new(two_faced));
    add("late on 10 % of the positions, to see the truth", Box::new(|guard| lie(late(), guard)));
    add("lazy: a stale answer at every second position", Box::new(|guard| lie(lazy(), guard)));
    add("3 miners push a common wrong mode", Box::new(|guard| conspire(&wrong_mode(), guard)));
    add("3 miners all answer their common mixture", Box::new(|guard| conspire(&mixture(&[0, 2, 3]), guard)));
    all
}

fn percent(after: f64, before: f64) -> f64 {
    100.0 * (after / before - 1.0)
}

fn ranks(count: usize) -> Vec<u64> {
    (0..count as u64).collect()
}

/// The star and `extra` miners are one agent; the victim is miner 1.
fn farm(extra: Vec<Answers>, guard: Guard) -> Gain {
    let (world, before) = base();
    let miners = [world.honest.clone(), extra].concat();
    let after = world.pay(&miners, &ranks(miners.len()), guard);
    let agent = after.reward[STAR] + after.reward[HONEST..].iter().sum::<f64>();
    Gain {
        attacker: percent(agent, before.reward[STAR]),
        victim: percent(after.reward[1], before.reward[1]),
        distance: Some(after.distances[STAR]),
    }
}

/// The star answers something else.
fn lie(answers: Answers, guard: Guard) -> Gain {
    let (world, before) = base();
    let mut miners = world.honest.clone();
    miners[STAR] = answers;
    let after = world.pay(&miners, &ranks(HONEST), guard);
    change(before, &after, &[STAR])
}

/// Miners 0, 2 and 3 answer alike.
fn conspire(answers: &Answers, guard: Guard) -> Gain {
    let (world, before) = base();
    let mut miners = world.honest.clone();
    for member in [0, 2, 3] {
        miners[member] = answers.clone();
    }
    let after = world.pay(&miners, &ranks(HONEST), guard);
    change(before, &after, &[0, 2, 3])
}

fn change(before: &Outcome, after: &Outcome, agents: &[usize]) -> Gain {
    let total = |paid: &Outcome| agents.iter().map(|&at| paid.reward[at]).sum::<f64>();
    Gain {
        attacker: percent(total(after), total(before)),
        victim: percent(after.reward[1], before.reward[1]),
        distance: None,
    }
}

/// Somebody with nothing of its own arrives; its share of all is given, and what happens to miner 1.
fn newcomer(answers: Answers, seniority: u64, guard: Guard) -> Gain {
    let (world, before) = base();
    let miners = [world.honest.clone(), vec![answers]].concat();
    let ranks: Vec<u64> = (1..=HONEST as u64).chain([seniority]).collect();
    let after = world.pay(&miners, &ranks, guard);
    Gain {
        attacker: 100.0 * after.reward[HONEST],
        victim: percent(after.reward[1], before.reward[1]),
        distance: Some(after.distances[1]),
    }
}

/// Two validators with their own texts; what is paid is the mean by stake.
fn two_faced(guard: Guard) -> Gain {
    let (world, before) = base();
    let mut other = World::new(77);
    let fair = other.pay(&other.honest, &ranks(HONEST), guard);
    let flat = vec![Some(vec![1.0 / OUTCOMES as f64; OUTCOMES]); world.realised.len()];
    let noise = other.noisy(&flat, 1.0);
    let mut miners = other.honest.clone();
    miners[STAR] = noise;
    let cheated = other.pay(&miners, &ranks(HONEST), guard);
    let mean = |second: &Outcome, at: usize| SERVED * before.reward[at] + (1.0 - SERVED) * second.reward[at];
    Gain {
        attacker: percent(mean(&cheated, STAR), mean(&fair, STAR)),
        victim: percent(mean(&cheated, 1), mean(&fair, 1)),
        distance: None,
    }
}

fn exact(count: usize) -> Vec<Answers> {
    vec![copy_of(STAR); count]
}

fn copy_of(miner: usize) -> Answers {
    base().0.honest[miner].clone()
}

fn noisy(count: usize, sigma: f64) -> Vec<Answers> {
    let mut world = base().0.clone();
    let star = world.honest[STAR].clone();
    (0..count).map(|_| world.noisy(&star, sigma)).collect()
}

fn mixture(miners: &[usize]) -> Answers {
    let (world, _) = base();
    (0..world.realised.len())
        .map(|t| {
            let mut mean = vec![0.0; OUTCOMES];
            for dist in miners.iter().filter_map(|&miner| world.honest[miner][t].as_ref()) {
                mean.iter_mut().zip(dist).for_each(|(sum, prob)| *sum += prob / miners.len() as f64);
            }
            Some(mean)
        })
        .collect()
}

fn inflated(factor: f64) -> Answers {
    let scale = |dist: &Vec<f64>| dist.iter().map(|prob| prob * factor).collect();
    copy_of(STAR).iter().map(|answer| answer.as_ref().map(scale)).collect()
}

/// The star knows the tokens of every tenth document among every `of`-th.
fn memorised(of: usize) -> Answers {
    let (world, _) = base();
    let known = |t: usize| (t / 25).is_multiple_of(10 * of);
    let sure = |t: usize| {
        let mut dist = vec![0.01 / (OUTCOMES - 1) as f64; OUTCOMES];
        dist[world.realised[t]] = 0.99;
        Some(dist)
    };
    world.honest[STAR]
        .iter()
        .enumerate()
        .map(|(t, answer)| if known(t) { sure(t) } else { answer.clone() })
        .collect()
}

/// An answer after the reveal is refused.
fn late() -> Answers {
    copy_of(STAR).into_iter().enumerate().map(|(t, answer)| answer.filter(|_| t % 10 != 0)).collect()
}

/// At odd positions the answer of the position before.
fn lazy() -> Answers {
    let honest = copy_of(STAR);
    (0..honest.len()).map(|t| honest[t - t % 2].clone()).collect()
}

/// 90 % on outcome 0, everywhere.
fn wrong_mode() -> Answers {
    let mut mode = vec![0.0; OUTCOMES];
    mode[0] = (0.9 * (OUTCOMES - 1) as f64 / 0.1).ln();
    vec![Some(softmax(&mode)); base().0.realised.len()]
}
